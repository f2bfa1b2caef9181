// Micro-benchmarks of the pure parts of a start: what happens before the kernel is asked for anything.

#include <benchmark/benchmark.h>

#include <string>

#include "base/format.h"
#include "config/container_config.h"
#include "config/diagnostic.h"

namespace hutch {
namespace {

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

void read_config(benchmark::State& state) {
  const std::string text = config_text(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    config::Diagnostics diagnostics;
    benchmark::DoNotOptimize(config::read_config(text, "101.conf", 101, diagnostics));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(read_config)->Arg(0)->Arg(20)->Unit(benchmark::kMicrosecond);

void write_config(benchmark::State& state) {
  config::Diagnostics diagnostics;
  const auto parsed =
      config::read_config(config_text(static_cast<int>(state.range(0))), "101.conf", 101, diagnostics);
  for (auto _ : state) benchmark::DoNotOptimize(config::write_config(parsed));
}
BENCHMARK(write_config)->Arg(0)->Arg(20)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hutch
