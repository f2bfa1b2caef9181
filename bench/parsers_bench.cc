// Micro-benchmarks of the pure parts of a start: what happens before the kernel is asked for anything.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/option_values.h"
#include "config/container_config.h"
#include "config/diagnostic.h"
#include "config/lower.h"
#include "runtime/planner.h"
#include "seccomp/cache.h"

namespace hutch {
namespace {

constexpr std::uint32_t kVmid = 101;

constexpr const char* kBody =
    "arch: amd64\ncores: 2\ncpulimit: 1.5\nhostname: web\nmemory: 1024\nnameserver: 10.0.0.1 10.0.0.2\n"
    "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56,ip=10.10.10.2/24,gw=10.10.10.1,type=veth\n"
    "onboot: 1\nostype: debian\nrootfs: local:101/vm-101-disk-0.raw,size=4G\nswap: 512\nunprivileged: 1\n"
    "mp0: /srv/data,mp=/data,ro=1\nlxc.cgroup2.pids.max: 4096\nlxc.environment: A=b\n";

// The main section and `snapshots` snapshots of fifteen lines each.
std::string config_text(int snapshots) {
  std::string text = "#a description\n" + std::string(kBody);
  for (int i = 0; i < snapshots; ++i) {
    text += formatted("\n[snap{}]\n#before the update\n{}snaptime: {}\n", i, kBody, 1700000000 + i);
  }
  return text;
}

config::ContainerConfig parsed_config(int snapshots) {
  config::Diagnostics diagnostics;
  return config::read_config(config_text(snapshots), "101.conf", kVmid, diagnostics);
}

config::LoweringContext lowering_context() {
  config::LoweringContext context;
  context.vmid = kVmid;
  context.resolve_volume = [](const std::string&) {
    return config::ResolvedVolume{VolumeSpec::Kind::image, "/var/lib/vz/images/101/vm-101-disk-0.raw"};
  };
  return context;
}

// A host with v1 controllers beside the v2 tree, where planning has the most to do.
HostFacts made_up_host() {
  HostFacts facts;
  facts.cgroups.unified = "/sys/fs/cgroup/unified";
  for (const char* controller : {"cpu", "cpuset", "memory", "pids"})
    facts.cgroups.v1[controller] = formatted("/sys/fs/cgroup/{}", controller);
  facts.cpus = {0, 1, 2, 3};
  facts.seed = 42;
  facts.bridges = {{"vmbr0", {3, 1500, true}}};
  return facts;
}

void read_config(benchmark::State& state) {
  const std::string text = config_text(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    config::Diagnostics diagnostics;
    benchmark::DoNotOptimize(config::read_config(text, "101.conf", kVmid, diagnostics));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(read_config)->Arg(0)->Arg(20)->Unit(benchmark::kMicrosecond);

void write_config(benchmark::State& state) {
  const auto parsed = parsed_config(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(config::write_config(parsed));
}
BENCHMARK(write_config)->Arg(0)->Arg(20)->Unit(benchmark::kMicrosecond);

void lower_config(benchmark::State& state) {
  const auto parsed = parsed_config(0);
  const auto context = lowering_context();
  for (auto _ : state) benchmark::DoNotOptimize(config::lower(parsed, context));
}
BENCHMARK(lower_config)->Unit(benchmark::kMicrosecond);

// What every start does with the file of a container that has twenty snapshots: 376 lines.
void read_and_lower_a_config_with_20_snapshots(benchmark::State& state) {
  const std::string text = config_text(20);
  const auto context = lowering_context();
  for (auto _ : state) {
    config::Diagnostics diagnostics;
    const auto parsed = config::read_config(text, "101.conf", kVmid, diagnostics);
    benchmark::DoNotOptimize(config::lower(parsed, context));
  }
}
BENCHMARK(read_and_lower_a_config_with_20_snapshots)->Unit(benchmark::kMicrosecond);

void plan_start(benchmark::State& state) {
  const ContainerSpec spec = config::lower(parsed_config(0), lowering_context()).spec;
  const HostFacts facts = made_up_host();
  const std::vector<sock_filter> filter(60);
  for (auto _ : state) benchmark::DoNotOptimize(make_plan(spec, facts, filter, Sysroot()));
}
BENCHMARK(plan_start)->Unit(benchmark::kMicrosecond);

void print_plan_text(benchmark::State& state) {
  const ContainerSpec spec = config::lower(parsed_config(0), lowering_context()).spec;
  const StartPlan plan = make_plan(spec, made_up_host(), std::vector<sock_filter>(60), Sysroot());
  for (auto _ : state) benchmark::DoNotOptimize(print_plan(plan));
}
BENCHMARK(print_plan_text)->Unit(benchmark::kMicrosecond);

std::string default_policy() {
  return config::lower(parsed_config(0), lowering_context()).spec.seccomp.policy;
}

void compile_seccomp_policy(benchmark::State& state) {
  const std::string policy = default_policy();
  for (auto _ : state)
    benchmark::DoNotOptimize(seccomp::compile(seccomp::parse_policy(policy, Origin{"default"})));
}
BENCHMARK(compile_seccomp_policy)->Unit(benchmark::kMicrosecond);

void load_cached_seccomp_program(benchmark::State& state) {
  if (geteuid() != 0) {
    state.SkipWithError("probe: the cache takes root's files only");
    return;
  }
  char directory[] = "/tmp/hutch-parsers-bench.XXXXXX";
  if (mkdtemp(directory) == nullptr) throw_errno("cannot make a scratch directory");
  const std::string policy = default_policy();
  seccomp::load_or_compile(policy, Origin{"default"}, directory);
  for (auto _ : state)
    benchmark::DoNotOptimize(seccomp::load_or_compile(policy, Origin{"default"}, directory));
  std::filesystem::remove_all(directory);
}
BENCHMARK(load_cached_seccomp_program)->Unit(benchmark::kMicrosecond);

void parse_command_line(benchmark::State& state, const char* command, const std::vector<std::string>& words) {
  for (auto _ : state) {
    const auto rows = cli::find_command(command)->options();
    const auto canonical = cli::normalise_arguments(words, rows);
    std::vector<cli::Problem> problems;
    benchmark::DoNotOptimize(cli::parse_options(canonical.options, rows, problems));
    cli::raise_problems(std::move(problems));
  }
}
BENCHMARK_CAPTURE(parse_command_line, start, "start", {"101"})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(parse_command_line, create, "create",
                  {"101", "local:vztmpl/debian-12.tar.zst", "--hostname", "web", "--memory", "512", "--swap",
                   "0", "--cores", "1", "--cpulimit", "0.5", "--unprivileged", "1", "--net0",
                   "name=eth0,bridge=vmbr0,ip=10.10.10.2/24,gw=10.10.10.1"})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hutch
