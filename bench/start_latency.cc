// Start latency of the benchmark container, side by side: the floor, `pct start` and the installed peers,
// in turn, whole command from exec to exit.
//
//   start_latency [--rounds N] [--pct PATH] [--floor PATH]
//
// Needs root. Everything it makes (a scratch directory, a bridge, containers) is removed at the end, also
// after a failure or a signal. Exit status 0 when every installed tool was measured.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "base/process.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "bench/contender.h"

namespace hutch::bench {
namespace {

namespace fs = std::filesystem;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kWarmUpRounds = 3;
// Lets the kernel finish the last container's network namespace, which it removes in the background.
constexpr auto kPause = std::chrono::milliseconds(150);

volatile sig_atomic_t interrupted = 0;
void on_signal(int) {
  interrupted = 1;
}

struct Options {
  int rounds = 40;
  std::string pct;
  std::string floor;
};

Options parse(int argc, char** argv) {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  Options options{40, (here / "../cli/pct").lexically_normal(), here / "floor"};
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw Error(formatted("cannot use '{}': it needs a value", name));
    const std::string value = argv[i + 1];
    if (name == "--rounds") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.rounds);
      if (error != std::errc() || end != value.data() + value.size() || options.rounds < 1) {
        throw Error(formatted("cannot use '--rounds {}': it takes a number from 1 on", value));
      }
    } else if (name == "--pct") {
      options.pct = fs::absolute(value);
    } else if (name == "--floor") {
      options.floor = fs::absolute(value);
    } else {
      throw Error(formatted("cannot use '{}'", name), 0, "options: --rounds N, --pct PATH, --floor PATH");
    }
  }
  return options;
}

// A mount namespace in which /sys/fs/cgroup is the v2 tree alone. The benchmark enters and leaves it
// outside the timed part.
class UnifiedView {
 public:
  UnifiedView() : own_(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) {
    check(own_.get(), "cannot open our mount namespace");
    check(unshare(CLONE_NEWNS), "cannot make a mount namespace");
    check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "cannot make the mounts private");
    check(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
          "cannot mount the v2 cgroup tree");
    other_.reset(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    check(other_.get(), "cannot open the new mount namespace");
    leave();
  }
  void enter() const { check(setns(other_.get(), CLONE_NEWNS), "cannot enter a mount namespace"); }
  void leave() const { check(setns(own_.get(), CLONE_NEWNS), "cannot return to our mount namespace"); }

 private:
  UniqueFd own_;
  UniqueFd other_;
};

// A contender's output is kept in a file: a daemon that inherited a pipe would keep us reading.
class Runner {
 public:
  explicit Runner(std::string log) : log_(std::move(log)) {
    check(posix_spawn_file_actions_init(&actions_), "cannot prepare a program");
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() { posix_spawn_file_actions_destroy(&actions_); }

  // Time from just before the spawn until the program has been waited for; throws when it fails.
  Milliseconds run(const std::vector<std::string>& argv,
                   const std::vector<std::pair<std::string, std::string>>& environment) const {
    std::vector<std::string> words = argv;
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<std::string> settings;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
      const bool replaced = std::any_of(environment.begin(), environment.end(),
                                        [&](const auto& setting) { return setting.first == name; });
      if (!replaced) settings.emplace_back(*entry);
    }
    for (const auto& [name, value] : environment) settings.push_back(formatted("{}={}", name, value));
    std::vector<char*> variables;
    for (auto& setting : settings) variables.push_back(setting.data());
    variables.push_back(nullptr);

    pid_t child = 0;
    int status = 0;
    const auto begin = std::chrono::steady_clock::now();
    const int error =
        posix_spawn(&child, arguments[0], &actions_, nullptr, arguments.data(), variables.data());
    if (error != 0) throw Error(formatted("cannot run '{}'", argv[0]), error);
    pid_t waited = 0;
    do {
      waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    const auto end = std::chrono::steady_clock::now();
    if (waited < 0) throw_errno(formatted("cannot wait for '{}'", argv[0]));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      throw Error(formatted("'{}' failed: {}", command_line(argv), output()));
    }
    return end - begin;
  }

 private:
  static std::string command_line(const std::vector<std::string>& argv) {
    std::string line;
    for (const auto& word : argv) line += (line.empty() ? "" : " ") + word;
    return line;
  }
  std::string output() const {
    std::ifstream file(log_);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string log_;
  posix_spawn_file_actions_t actions_ = {};
};

struct Row {
  Contender contender;
  std::vector<double> times;  // milliseconds
  std::string failure;        // not empty: taken out of the race
};

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(part * last + 0.5)];
}

// Daemons of the peers become our children (subreaper); they must not stay as zombies.
void reap() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
}

Milliseconds run(const Runner& runner, const Contender& contender, const std::vector<std::string>& argv) {
  if (!contender.needs_unified_view) return runner.run(argv, contender.environment);
  static const UnifiedView view;
  view.enter();
  UndoStack undo;
  undo.push("mount namespace", [] { view.leave(); });
  return runner.run(argv, contender.environment);
}

void stop(const Runner& runner, const Contender& contender) {
  run(runner, contender, contender.stop);
  reap();
}

void race_once(const Runner& runner, Row& row, bool counted) {
  if (!row.failure.empty()) return;
  std::this_thread::sleep_for(kPause);
  try {
    const Milliseconds time = run(runner, row.contender, row.contender.start);
    if (counted) row.times.push_back(time.count());
    stop(runner, row.contender);
  } catch (const Error& error) {
    row.failure = error.what();
    // A start that failed half-way may have left a container; that there is none is no second failure.
    try {
      stop(runner, row.contender);
    } catch (const Error& second) {
      std::cerr << "start_latency: after that failure: " << second.what() << '\n';
    }
  }
}

void print_table(const std::vector<Row>& rows, const std::vector<std::string>& absent) {
  const bool with_floor = !rows.front().times.empty();
  const double floor = with_floor ? quantile(rows.front().times, 0.5) : 0.0;
  std::printf("%-12s %9s %9s %9s %8s  %s\n", "tool", "median", "p90", "best", "x floor", "leaves out");
  for (const Row& row : rows) {
    if (row.times.empty()) continue;
    const double median = quantile(row.times, 0.5);
    std::printf("%-12s %6.2f ms %6.2f ms %6.2f ms ", row.contender.name.c_str(), median,
                quantile(row.times, 0.9), quantile(row.times, 0.0));
    if (with_floor) {
      std::printf("%8.2f", median / floor);
    } else {
      std::printf("%8s", "-");
    }
    std::printf("  %s\n", row.contender.leaves_out.c_str());
  }
  for (const auto& name : absent) std::printf("%-12s not installed\n", name.c_str());
}

std::vector<Row> contenders(const Arena& arena, const Options& options, std::vector<std::string>& absent) {
  std::vector<Row> rows;
  rows.push_back({floor_contender(arena, options.floor), {}, {}});
  if (access(options.pct.c_str(), X_OK) == 0) {
    rows.push_back({pct_contender(arena, options.pct), {}, {}});
  } else {
    absent.push_back("pct start");
  }
  const std::string lxc = find_program("lxc-start");
  const std::string crun = find_program("crun");
  if (lxc.empty()) {
    absent.push_back("lxc-start");
  } else {
    rows.push_back({lxc_contender(arena, lxc), {}, {}});
  }
  if (crun.empty()) {
    absent.push_back("crun");
  } else {
    rows.push_back({crun_contender(arena, crun), {}, {}});
  }
  return rows;
}

Arena prepare(UndoStack& undo) {
  char directory[] = "/tmp/hutch-bench.XXXXXX";
  if (mkdtemp(directory) == nullptr) throw_errno("cannot make a scratch directory");
  Arena arena;
  arena.scratch = directory;
  undo.push("scratch directory", [path = arena.scratch] { fs::remove_all(path); });
  // The container's root, an unprivileged id, has to pass through.
  check(chmod(directory, 0711), "cannot open the scratch directory to the container");
  const auto own = static_cast<unsigned>(getpid());
  arena.vmid = 900000000U + own % 1000000U;
  arena.bridge = formatted("hbn{}", own % 1000000U);
  arena.rootfs =
      formatted("{}/var/lib/vz/images/{}/subvol-{}-disk-0.subvol", arena.scratch, arena.vmid, arena.vmid);
  make_rootfs(arena);
  run_checked({"ip", "link", "add", arena.bridge, "type", "bridge"});
  undo.push("bridge", [name = arena.bridge] { run_checked({"ip", "link", "del", name}); });
  run_checked({"ip", "link", "set", arena.bridge, "up"});
  undo.push("cgroups of lxc-start", [before = pivot_cgroups()] { remove_new_pivot_cgroups(before); });
  return arena;
}

int run(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (geteuid() != 0) throw Error("cannot start containers", EPERM, "run as root");
  check(prctl(PR_SET_CHILD_SUBREAPER, 1), "cannot adopt the containers' monitors");
  struct sigaction action = {};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    check(sigaction(number, &action, nullptr), "cannot catch signals");

  UndoStack undo([](const std::string& name, const std::string& reason) {
    std::cerr << "start_latency: cannot remove the " << name << ": " << reason << '\n';
  });
  const Arena arena = prepare(undo);
  const Runner runner(arena.scratch + "/log");
  std::vector<std::string> absent;
  std::vector<Row> rows = contenders(arena, options, absent);
  for (int round = -kWarmUpRounds; round < options.rounds && interrupted == 0; ++round) {
    for (Row& row : rows) race_once(runner, row, round >= 0);
  }
  if (interrupted != 0) throw Error("interrupted");
  print_table(rows, absent);
  bool complete = true;
  for (const Row& row : rows) {
    if (row.failure.empty()) continue;
    // A peer that cannot run on this host is named; it is not our failure.
    if (row.contender.required) complete = false;
    std::cerr << "start_latency: " << row.contender.name << " was taken out: " << row.failure << '\n';
  }
  return complete ? 0 : 1;
}

}  // namespace
}  // namespace hutch::bench

int main(int argc, char** argv) {
  try {
    return hutch::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "start_latency: " << error.what() << '\n';
    return 1;
  }
}
