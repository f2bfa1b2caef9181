#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "cgroupv2/freezer.h"
#include "cgroupv2/group.h"

namespace hutch::cgroupv2 {

// The reason why kernel tests cannot run here, or nothing.
inline std::optional<std::string> no_cgroups_here() {
  if (::geteuid() != 0) return "not root";
  try {
    const Layout layout = detect_layout();
    if (::access(layout.unified.c_str(), W_OK) < 0) return "the cgroup2 tree is not writable";
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

// The reason why `controller` cannot be used by the tests here, or nothing.
inline std::optional<std::string> no_controller(std::string_view controller) {
  const Layout layout = detect_layout();
  if (layout.has_v2(controller) || !layout.v1_hierarchy(controller == "io" ? "blkio" : controller).empty()) {
    return std::nullopt;
  }
  return formatted("this host has no controller '{}'", controller);
}

// A child that runs `body` and exits with its result; killed and reaped with the object.
class Child {
 public:
  // Cloned straight into the group's inner cgroup; has joined the v1 hierarchies when this returns,
  // and runs `body`.
  Child(const Group& group, const std::function<int()>& body) {
    int joined[2];
    check(::pipe2(joined, O_CLOEXEC), "cannot create a pipe");
    const UniqueFd wait(joined[0]);
    UniqueFd tell(joined[1]);
    const UniqueFd inner = group.open_inner();
    clone_args args{};
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = SIGCHLD;
    args.cgroup = static_cast<__u64>(inner.get());
    pid_ = check(sys::clone3(args), "cannot clone into the cgroup");
    if (pid_ == 0) run(group, tell.get(), body);
    tell.reset();
    char byte = 0;
    if (::read(wait.get(), &byte, 1) != 1) {
      finish();
      throw Error("the child could not join the group");
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { finish(); }

  pid_t pid() const { return pid_; }
  // waitpid(2)'s status.
  int wait() {
    int status = 0;
    check(::waitpid(pid_, &status, 0), "cannot wait for the child");
    pid_ = 0;
    return status;
  }

 private:
  [[noreturn]] static void run(const Group& group, int tell, const std::function<int()>& body) {
    try {
      group.join_existing();
    } catch (const Error&) {
      ::_exit(99);
    }
    ::_exit(::write(tell, "j", 1) == 1 ? body() : 98);
  }
  void finish() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid_ = 0;
};

// A number that parent and children see alike.
class SharedCounter {
 public:
  SharedCounter()
      : value_(static_cast<volatile std::uint64_t*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;
  ~SharedCounter() { ::munmap(const_cast<std::uint64_t*>(value_), 4096); }
  void add() { *value_ = *value_ + 1; }
  void set(std::uint64_t value) { *value_ = value; }
  std::uint64_t get() const { return *value_; }
  // Whether it became at least `wanted` within 10 s.
  bool reaches(std::uint64_t wanted) const {
    for (int i = 0; i < 10000 && get() < wanted; ++i) ::usleep(1000);
    return get() >= wanted;
  }

 private:
  volatile std::uint64_t* value_;
};

// A group "hutch-test-<pid>/<name>" that kills and removes itself.
class TestGroup : public Group {
 public:
  explicit TestGroup(const std::string& name)
      : Group(detect_layout(), formatted("hutch-test-{}/{}", ::getpid(), name)) {}
  ~TestGroup() {
    kill_all(directory());
    remove(std::chrono::seconds(5));
  }
  TestGroup(const TestGroup&) = delete;
  TestGroup& operator=(const TestGroup&) = delete;

  void start(const std::vector<FileWrite>& writes) {
    const auto placed = place(writes, layout());
    create(placed);
    apply(placed);
  }
  std::string inner_directory() const { return directory() + "/ns"; }
  // The text of a control file of the limit group, by its v2 or its v1 name, without the newline.
  std::string read(const std::string& controller, const std::string& v2, const std::string& v1) const {
    const bool on_v2 = layout().has_v2(controller);
    std::string text =
        read_file(AT_FDCWD, on_v2 ? directory() + "/" + v2
                                  : layout().v1_hierarchy(controller) + "/" + path() + "/" + v1);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  // Every tree that has a directory of the group or of its parent.
  std::vector<std::string> traces() const {
    std::vector<std::string> found;
    auto trees = layout().v1_hierarchies();
    trees.push_back(layout().unified);
    for (const auto& tree : trees) {
      if (path_exists(AT_FDCWD, tree + "/" + path().substr(0, path().find('/')))) found.push_back(tree);
    }
    return found;
  }
};

// Base of the kernel tests: skips where there is nothing to test with.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = no_cgroups_here()) GTEST_SKIP() << "probe: " << *reason;
    // Grandchildren of a killed child come to us, so that no zombie outlives the test.
    check(::prctl(PR_SET_CHILD_SUBREAPER, 1), "cannot become a subreaper");
  }
  void TearDown() override {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
};

}  // namespace hutch::cgroupv2
