// hutch-bench: the benchmark suite; bench/run builds and runs it, README.md describes it.
//
// Needs root. Everything it makes (a scratch directory, a bridge, containers) is removed at the end, also
// after a failure or a signal. Exit status 0 when the floor and pct could be measured and nothing is left
// behind.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/undo.h"
#include "bench/results_writer.h"
#include "bench/suite.h"

namespace hutch::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kSkipped = 77;  // of --quick without root, as CTest's SKIP_RETURN_CODE has it

Host describe_host(const std::string& pct) {
  Host host;
  utsname names = {};
  check(uname(&names), "cannot read the kernel's version");
  host.kernel = names.release;
  host.cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  host.cgroups = host_is_unified() ? "unified" : "hybrid";
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  char date[32] = {};
  std::strftime(date, sizeof date, "%Y-%m-%d", localtime_r(&now, &parts));
  host.date = date;
  host.pct = pct;
  return host;
}

// The plan of the benchmark container, and the seccomp program that it loads, for the tools that take one.
void learn_from_pct(Suite& suite) {
  const Tool& tool = *suite.tool("pct");
  const Variant& base = variant_table().front();
  const Contender contender = tool.make(suite.arena, tool.program, base, 0);
  const std::string vmid = std::to_string(place_of(suite.arena, base, 0).vmid);
  suite.runner.run(pct_command(suite.arena, tool.program, {"plan", vmid}));
  suite.results.plan = suite.runner.output();
  UndoStack undo;
  undo.push("container", [&] { end_container_anyway(suite.runner, contender); });
  suite.runner.run(contender.start);
  const auto filter =
      read_file_if_exists(AT_FDCWD, formatted("{}/run/hutch/{}/seccomp", suite.arena.scratch, vmid));
  if (!filter) {
    std::cout << "The seccomp program of pct was not found: the floor loads its own.\n";
    return;
  }
  suite.arena.filter = suite.arena.scratch + "/filter.bpf";
  write_configuration(suite.arena.filter, *filter);
}

// One traced start as a Chrome trace; empty when this pct cannot.
std::string trace_of_start(Suite& suite) {
  const Tool& tool = *suite.tool("pct");
  suite.runner.run(pct_command(suite.arena, tool.program, {"help", "start"}));
  if (suite.runner.output().find("-trace") == std::string::npos) return {};
  const Contender contender = tool.make(suite.arena, tool.program, variant_table().front(), 0);
  const std::string file = suite.arena.scratch + "/trace.json";
  Command traced = contender.start;
  traced.argv.insert(traced.argv.end(), {"--trace", file});
  std::this_thread::sleep_for(kPause);
  UndoStack undo;
  undo.push("container", [&] { end_container_anyway(suite.runner, contender); });
  suite.runner.run(traced);
  return read_file(AT_FDCWD, file);
}

void print_head(const Suite& suite) {
  const Host& host = suite.results.host;
  std::cout << formatted("kernel {}, {} CPUs, {} cgroups, {}\npct: {}\n", host.kernel, host.cpus,
                         host.cgroups, host.date, host.pct);
  for (const auto& tool : suite.tools) {
    if (tool.program.empty()) std::cout << tool.name << ": not installed\n";
  }
  std::cout << "\nThe plan that pct runs:\n\n" << suite.results.plan << std::flush;
}

void measure_all(Suite& suite) {
  if (suite.wants("start") || suite.wants("exec") || suite.wants("stop")) measure_starts(suite);
  if (suite.wants("create") || suite.wants("destroy")) measure_templates(suite);
  if (suite.wants("boot")) measure_boot(suite);
  if (suite.wants("memory")) measure_memory(suite);
  if (suite.wants("density")) measure_density(suite);
  if (suite.wants("parallel")) measure_parallel(suite);
  if (suite.wants("micro")) measure_micro(suite);
}

void draw(const Suite& suite) {
  const std::string program = suite.own_directory + "/hutch-pictures";
  if (!path_exists(AT_FDCWD, program)) throw Error("cannot draw: hutch-pictures was not built");
  run_checked({program, suite.options.json, suite.options.pictures}, {.inherit_out = true});
}

// The kernel removes network namespaces, and the links in them, in the background.
std::vector<std::string> what_is_left(const Arena& arena) {
  auto found = left_behind(arena);
  for (int attempt = 0; attempt < 50 && !found.empty(); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    reap_orphans();
    found = left_behind(arena);
  }
  return found;
}

// Containers that an interrupted measurement may have left.
void stop_all(Suite& suite) {
  for (const auto& vmid : list_directory(suite.arena.scratch + "/run/hutch"))
    suite.runner.run(pct_command(suite.arena, suite.tool("pct")->program, {"stop", vmid}));
}

// Returns whether everything was measured.
bool run_in_arena(Suite& suite, UndoStack& undo) {
  undo.push("cgroups of lxc-start", [before = lxc_cgroups()] { remove_new_lxc_cgroups(before); });
  undo.push("containers of pct", [&suite] { stop_all(suite); });
  learn_from_pct(suite);
  print_head(suite);
  measure_all(suite);
  const bool wants_file = !suite.options.json.empty() || !suite.options.pictures.empty();
  if (!wants_file || suite.results.series.empty()) return suite.complete;
  const std::string text = print_results(suite.results, trace_of_start(suite));
  // The pictures are drawn from a file, asked for or not.
  if (suite.options.json.empty()) suite.options.json = suite.arena.scratch + "/results.json";
  write_output_file(suite.options.json, text, 0644);
  if (!suite.options.pictures.empty()) draw(suite);
  return suite.complete;
}

int run(SuiteOptions options) {
  if (geteuid() != 0 && options.quick) {
    std::cout << "probe: starting containers needs root\n";
    return kSkipped;
  }
  if (geteuid() != 0) throw Error("cannot start containers", EPERM, "run as root");
  if (!options.json.empty()) check_output_file(options.json);
  if (!options.pictures.empty()) make_directories(options.pictures);
  check(prctl(PR_SET_CHILD_SUBREAPER, 1), "cannot adopt the containers' monitors");
  catch_signals();
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  if (options.pct.empty()) options.pct = (here / "../cli/pct").lexically_normal();
  if (access(options.pct.c_str(), X_OK) != 0)
    throw_errno(formatted("cannot run '{}'", options.pct), "see --pct");

  UndoStack undo([](const std::string& name, const std::string& reason) {
    std::cerr << "hutch-bench: cannot remove the " << name << ": " << reason << '\n';
  });
  Suite suite(options, make_arena(here / "ready", undo));
  suite.own_directory = here;
  suite.tools = tool_table(here / "floor", options.pct);
  suite.results.host = describe_host(options.pct);
  std::string failure;
  bool complete = false;
  try {
    complete = run_in_arena(suite, undo);
  } catch (const Error& error) {
    failure = error.what();
  }
  undo.run();
  const auto left = what_is_left(suite.arena);
  for (const auto& line : left) std::cerr << "hutch-bench: left behind: " << line << '\n';
  if (!failure.empty()) throw Error(failure);
  return complete && left.empty() ? 0 : 1;
}

}  // namespace
}  // namespace hutch::bench

int main(int argc, char** argv) {
  try {
    const auto options = hutch::bench::parse_suite_options({argv + 1, argv + argc});
    if (options.help) {
      std::cout << hutch::bench::suite_usage();
      return 0;
    }
    return hutch::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "hutch-bench: " << error.what() << '\n';
    return 1;
  }
}
