// hutch-order: writes the linker script that puts together what a start runs; bench/order builds and runs it.
//
//   hutch-order PCT MAP SCRIPT    PCT and the link map that was written with it
//
// Needs root. What it makes (a scratch directory, a bridge, containers) is removed at the end.

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/undo.h"
#include "bench/code_trace.h"
#include "bench/contender.h"
#include "bench/function_order.h"
#include "bench/race.h"

namespace hutch::bench {
namespace {

namespace fs = std::filesystem;

// The first that come to a function give it its place: the unprivileged start with a network.
constexpr const char* kVariants[] = {"base", "privileged", "image-rootfs", "overlay-rootfs"};

class Order {
 public:
  Order(const Arena& arena, std::string pct, std::vector<CodePiece> pieces)
      : arena_(arena), pct_(std::move(pct)), pieces_(std::move(pieces)), runner_(arena.scratch + "/log") {}

  void add_variant(const Variant& variant) {
    const Contender contender = pct_contender(arena_, pct_, variant, 0);
    UndoStack undo;
    undo.push("container", [&] { end_container_anyway(runner_, contender); });
    add(contender.start, variant.name);
    if (variant.number != 0) return;
    add(contender.exec, variant.name);
    add(contender.stop, variant.name);
    undo.dismiss();
  }

  const std::vector<std::string>& patterns() const { return patterns_; }

 private:
  const Arena& arena_;
  std::string pct_;
  std::vector<CodePiece> pieces_;
  Runner runner_;
  std::vector<std::string> patterns_;
  std::set<std::string> known_;

  void add(const Command& command, const std::string& variant) {
    std::cout << formatted("{}, {}: ", command.argv[1], variant) << std::flush;
    const std::size_t before = patterns_.size();
    for (auto& pattern : patterns_at(pieces_, executed_addresses(command))) {
      if (known_.insert(pattern).second) patterns_.push_back(std::move(pattern));
    }
    std::cout << formatted("{} new pieces of code\n", patterns_.size() - before) << std::flush;
  }
};

int run(const std::string& pct, const std::string& map, const std::string& script) {
  if (geteuid() != 0) throw Error("cannot start containers", EPERM, "run as root");
  check_output_file(script);
  check(prctl(PR_SET_CHILD_SUBREAPER, 1), "cannot adopt the containers' supervisors");
  const auto pieces = read_link_map(read_file(AT_FDCWD, map));
  UndoStack undo([](const std::string& name, const std::string& reason) {
    std::cerr << "hutch-order: cannot remove the " << name << ": " << reason << '\n';
  });
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  const Arena arena = make_arena(here / "ready", undo);
  Order order(arena, fs::canonical(pct), pieces);
  for (const char* name : kVariants) {
    const Variant& variant = find_variant(name);
    const std::string reason = missing_on_host(variant.rootfs);
    if (!reason.empty()) throw Error(formatted("cannot start '{}'", name), 0, reason);
    order.add_variant(variant);
  }
  write_output_file(script, print_order(order.patterns()), 0644);
  return 0;
}

}  // namespace
}  // namespace hutch::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: hutch-order PCT MAP SCRIPT\n";
    return 2;
  }
  try {
    return hutch::bench::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::cerr << "hutch-order: " << error.what() << '\n';
    return 1;
  }
}
