#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {

inline constexpr HookPhase kHostPhases[] = {HookPhase::pre_start, HookPhase::start_host, HookPhase::stop,
                                            HookPhase::post_stop};
inline constexpr HookPhase kStagedPhases[] = {HookPhase::pre_mount, HookPhase::mount, HookPhase::autodev};

// Hooks that write down their arguments, their environment and what they see.
class HooksTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    make_directories(notes());
    ASSERT_EQ(::chmod(notes().c_str(), 0777), 0);
    write_script("note", R"sh(#!/bin/sh
phase=${LXC_HOOK_TYPE:-$3}
echo "$phase" >> NOTES/order
{ echo "args: $*"; env; echo "user: $(id -u)"; cat /proc/self/uid_map; readlink /proc/self/ns/mnt
  for link in /proc/self/fd/*; do t=$(readlink $link) && echo "fd: $t"; done; true; } > NOTES/$phase
)sh");
    forget();
    // The container's own.
    replace_file(
        AT_FDCWD, rootfs() + "/bin/note",
        "#!/bin/sh\n{ echo \"args: $*\"; env; cat /proc/1/cgroup; ls -l /proc/self/fd; } > /tmp/start\n",
        0755, Owner{100000, 100000});
  }

  std::string notes() const { return directory() + "/notes"; }
  void write_script(const std::string& name, std::string text) const {
    for (std::size_t at = 0; (at = text.find("NOTES", at)) != std::string::npos;)
      text.replace(at, 5, notes());
    replace_file(AT_FDCWD, directory() + "/" + name, text, 0755);
  }
  void hook(HookPhase phase, const std::string& command) {
    spec.hooks.of(phase).push_back({command, {"test.conf", 10 + static_cast<int>(phase)}});
  }
  void note_every_phase() {
    for (const auto phase : kHostPhases) hook(phase, directory() + "/note");
    for (const auto phase : kStagedPhases) hook(phase, directory() + "/note");
    hook(HookPhase::start, "/bin/note own");
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::vector<std::string> result;
    const std::string text = read_file_if_exists(AT_FDCWD, notes() + "/" + name).value_or("");
    for (const auto line : split(text, '\n')) {
      if (!line.empty()) result.emplace_back(line);
    }
    return result;
  }
  void forget() const {
    for (const auto& name : list_directory(notes())) remove_tree(AT_FDCWD, notes() + "/" + name);
    replace_file(AT_FDCWD, notes() + "/order", "", 0666);
    ASSERT_EQ(::chmod((notes() + "/order").c_str(), 0666), 0);
  }
  std::string order() const { return join(lines("order"), " "); }
  std::string mount_path() const { return rootfs_mount_path(sysroot(), vmid()); }
};

}  // namespace hutch::kernel_test
