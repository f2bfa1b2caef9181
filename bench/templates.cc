#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/undo.h"
#include "bench/suite.h"
#include "bench/table.h"

// `pct create` and `pct destroy` beside what one would type without them.
namespace hutch::bench {

namespace fs = std::filesystem;

namespace {

struct Template {
  std::string name;        // "busybox", "debian"
  std::string file;        // below the storage's template directory
  std::string os_type;     // empty: detected
  unsigned gibibytes = 1;  // of an image for it
  int rounds = 1;
};

// What is measured of one of the two.
struct Pair {
  Command create;
  Command destroy;
  Command clear;  // whatever a failed one left
};

Command shell(const std::string& text) {
  Command command;
  command.argv = {"/bin/sh", "-c", "set -e; " + text};
  return command;
}

// The same work by hand, for a container at `path`: a directory, or an image that is mounted meanwhile.
Pair by_hand(const std::string& archive, const std::string& path, unsigned gibibytes, bool image) {
  const std::string extract = formatted("zstd -dc <'{}' | tar -x -p --numeric-owner -C '{}'", archive, path);
  const Command clear = shell(formatted(
      "if mountpoint -q '{0}'; then umount '{0}'; fi; rm -rf --one-file-system '{0}' '{0}.raw'", path));
  if (!image)
    return {shell(formatted("mkdir '{}'; {}", path, extract)), shell(formatted("rm -rf '{}'", path)), clear};
  // Made with the options that pct uses.
  const std::string make = formatted(
      "mkdir '{0}'; truncate -s {1}G '{0}.raw'; mkfs.ext4 -q -F -O mmp -E "
      "nodiscard,lazy_itable_init=1,lazy_journal_init=1 '{0}.raw'; mount -o loop '{0}.raw' '{0}'; ",
      path, gibibytes);
  return {shell(formatted("{}{}; umount '{}'", make, extract, path)),
          shell(formatted("rm -f '{0}.raw'; rmdir '{0}'", path)), clear};
}

std::string template_path(const Suite& suite, const std::string& file) {
  return formatted("{}/var/lib/vz/template/cache/{}", suite.arena.scratch, file);
}

Template busybox_template(Suite& suite) {
  const Place place = make_place(suite.arena, variant_table().front(), 0);
  const std::string path = template_path(suite, "busybox.tar.zst");
  make_directories(fs::path(path).parent_path());
  run_checked({"sh", "-c",
               formatted("tar -c --numeric-owner --owner=0 --group=0 -C '{}' . | zstd -q -f -o '{}'",
                         place.directory, path)});
  return {"busybox", "busybox.tar.zst", "unmanaged", 1, suite.options.rounds};
}

struct Times {
  std::vector<double> create;
  std::vector<double> destroy;
};

// Dirty pages of the run before must not be written during this one.
void settle() {
  ::sync();
  std::this_thread::sleep_for(kPause);
}

void run_pair(Runner& runner, const Pair& commands, Times& times, bool counted) {
  settle();
  UndoStack undo;
  undo.push("container", [&] { runner.run(commands.clear); });
  const double created = runner.run(commands.create).count();
  settle();
  const double destroyed = runner.run(commands.destroy).count();
  undo.dismiss();
  if (!counted) return;
  times.create.push_back(created);
  times.destroy.push_back(destroyed);
}

std::string note(const std::vector<double>& samples, const std::string& leaves_out) {
  return samples.empty() ? "failed, see above" : leaves_out;
}

void publish(Suite& suite, const std::string& variant, const Times& pct, const Times& hand) {
  constexpr const char* kHand = "no ids moved, no guest set up";
  if (suite.wants("create")) {
    suite.add_series("create", variant, "pct", "ms", pct.create);
    suite.add_series("create", variant, "tar", "ms", hand.create, kHand);
    std::cout << print_table(formatted("create, {}", variant),
                             {{"pct create", pct.create, note(pct.create, "-")},
                              {"zstd -dc | tar -x", hand.create, note(hand.create, kHand)}},
                             "ms", "zstd -dc | tar -x", "leaves out")
              << std::flush;
  }
  if (suite.wants("destroy")) {
    suite.add_series("destroy", variant, "pct", "ms", pct.destroy);
    suite.add_series("destroy", variant, "rm", "ms", hand.destroy, "locks, config");
    std::cout << print_table(formatted("destroy, {}", variant),
                             {{"pct destroy", pct.destroy, note(pct.destroy, "-")},
                              {"rm -rf", hand.destroy, note(hand.destroy, "locks, config")}},
                             "ms", "rm -rf", "leaves out")
              << std::flush;
  }
}

void measure(Suite& suite, const Template& from, bool image) {
  const std::string vmid = std::to_string(spare_vmid(suite.arena, 0));
  const auto& program = suite.tool("pct")->program;
  std::vector<std::string> words = {
      "create",         vmid,       "local:vztmpl/" + from.file,
      "--unprivileged", "1",        "--hostname",
      "bench",          "--rootfs", formatted("local:{}", image ? from.gibibytes : 0)};
  if (!from.os_type.empty()) words.insert(words.end(), {"--ostype", from.os_type});
  const Command destroy = pct_command(suite.arena, program, {"destroy", vmid});
  const Pair own = {pct_command(suite.arena, program, words), destroy, destroy};
  const Pair hand =
      by_hand(template_path(suite, from.file), suite.arena.scratch + "/by-hand", from.gibibytes, image);
  const std::string variant = formatted("{}-{}", from.name, image ? "image" : "directory");
  Times pct;
  Times tar;
  try {
    for (int round = suite.options.quick ? 0 : -1; round < from.rounds; ++round) {
      stop_if_interrupted();
      run_pair(suite.runner, own, pct, round >= 0);
      stop_if_interrupted();
      run_pair(suite.runner, hand, tar, round >= 0);
    }
  } catch (const Error& error) {
    stop_if_interrupted();
    suite.report_failure("create and destroy, " + variant, error.what(), true);
  }
  publish(suite, variant, pct, tar);
}

}  // namespace

void measure_templates(Suite& suite) {
  if (find_program("zstd").empty()) {
    std::cout << "\ncreate: skipped, zstd is not installed\n";
    return;
  }
  std::vector<Template> templates = {busybox_template(suite)};
  const std::string debian = debian_template();
  if (suite.options.quick) {
    std::cout << "\ncreate, debian: skipped, --quick\n";
  } else if (debian.empty()) {
    std::cout
        << "\ncreate, debian: skipped, there is no template (scripts/make-template.sh debian 12 FILE)\n";
  } else {
    fs::create_symlink(debian, template_path(suite, "debian.tar.zst"));
    // Takes a second or two each; eight times as many busybox rounds fit beside it.
    templates.push_back({"debian", "debian.tar.zst", {}, 2, std::max(1, suite.options.rounds / 8)});
  }
  for (const auto& from : templates) {
    measure(suite, from, false);
    const std::string reason = missing_on_host(RootfsKind::image);
    if (reason.empty()) {
      measure(suite, from, true);
    } else {
      std::cout << formatted("\ncreate, {}-image: skipped, {}\n", from.name, reason);
    }
  }
}

}  // namespace hutch::bench
