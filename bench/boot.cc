#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"
#include "bench/suite.h"
#include "bench/table.h"

// From the start command to systemd's `running`, in a Debian container.
namespace hutch::bench {

namespace fs = std::filesystem;

namespace {

constexpr auto kLongestBoot = std::chrono::seconds(60);

struct Machine {
  Contender contender;
  Command ask;  // systemctl is-system-running --wait, inside
  std::vector<double> times;
  std::string failure;
};

// systemd answers no request during its first tenth of a second; then the question waits for the answer.
double boot_once(Runner& runner, const Machine& machine) {
  const auto begin = std::chrono::steady_clock::now();
  runner.run(machine.contender.start);
  for (;;) {
    stop_if_interrupted();
    std::string complaint;
    try {
      runner.run(machine.ask);
    } catch (const Error& error) {
      complaint = error.what();
    }
    const Milliseconds time = std::chrono::steady_clock::now() - begin;
    if (complaint.empty()) return time.count();
    const std::string state(trim(runner.output()));
    if (state == "degraded" || state == "maintenance")
      throw Error(formatted("systemd inside ended its start as '{}'", state));
    if (time > kLongestBoot)
      throw Error(formatted("systemd inside is not running after 60 s: {}", complaint));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void run_once(Runner& runner, Machine& machine, bool counted) {
  std::this_thread::sleep_for(kPause);
  stop_if_interrupted();
  UndoStack undo;
  undo.push("container", [&] { end_container_anyway(runner, machine.contender); });
  const double time = boot_once(runner, machine);
  if (counted) machine.times.push_back(time);
}

Machine pct_machine(const Suite& suite, const std::string& vmid) {
  const auto& program = suite.tool("pct")->program;
  Machine machine;
  machine.contender.tool = "pct";
  machine.contender.title = "pct start";
  machine.contender.start = pct_command(suite.arena, program, {"start", vmid});
  machine.contender.stop = pct_command(suite.arena, program, {"stop", vmid});
  machine.ask = pct_command(suite.arena, program,
                            {"exec", vmid, "--", "/bin/systemctl", "is-system-running", "--wait"});
  return machine;
}

Machine lxc_machine(const Suite& suite, const std::string& vmid) {
  const std::string name = "hutch-bench-" + vmid;
  const std::string path = suite.arena.scratch + "/lxc";
  const std::string rootfs =
      formatted("{}/var/lib/vz/images/{}/subvol-{}-disk-0.subvol", suite.arena.scratch, vmid, vmid);
  std::string text = formatted(
      "lxc.uts.name = bench\nlxc.rootfs.path = dir:{}\nlxc.idmap = u 0 {} {}\nlxc.idmap = g 0 {} {}\n"
      "lxc.net.0.type = veth\nlxc.net.0.link = {}\nlxc.net.0.name = eth0\n"
      "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed\nlxc.tty.max = 2\nlxc.init.cmd = /sbin/init\n",
      rootfs, kFirstHostId, kIdCount, kFirstHostId, kIdCount, suite.arena.bridge);
  write_configuration(formatted("{}/{}/config", path, name), text);
  Machine machine;
  machine.contender.tool = "lxc";
  machine.contender.title = "lxc-start";
  machine.contender.leaves_out = "limits";
  machine.contender.start.argv = {suite.tool("lxc")->program, "-P", path, "-n", name};
  machine.contender.stop.argv = {find_program("lxc-stop"), "-P", path, "-n", name, "-k"};
  machine.ask.argv = {find_program("lxc-attach"), "-P",    path, "-n", name, "--", "/bin/systemctl",
                      "is-system-running",        "--wait"};
  return machine;
}

void publish(Suite& suite, const std::vector<Machine>& machines) {
  std::vector<TableRow> rows;
  for (const auto& machine : machines) {
    const Contender& contender = machine.contender;
    rows.push_back({contender.title, machine.times,
                    !machine.times.empty() ? (contender.leaves_out.empty() ? "-" : contender.leaves_out)
                                           : "failed, see above"});
    suite.add_series("boot", "debian-systemd", contender.tool, "ms", machine.times, contender.leaves_out);
  }
  std::cout << print_table("boot, until systemd says running", rows, "ms", "pct start", "leaves out")
            << std::flush;
}

}  // namespace

void measure_boot(Suite& suite) {
  const std::string from = debian_template();
  if (suite.options.quick) {
    std::cout << "\nboot: skipped, --quick\n";
    return;
  }
  if (from.empty()) {
    std::cout << "\nboot: skipped, there is no Debian template (scripts/make-template.sh debian 12 FILE)\n";
    return;
  }
  const std::string vmid = std::to_string(spare_vmid(suite.arena, 1));
  const std::string file = formatted("{}/var/lib/vz/template/cache/debian-boot.tar.zst", suite.arena.scratch);
  make_directories(fs::path(file).parent_path());
  fs::create_symlink(from, file);
  const auto& program = suite.tool("pct")->program;
  UndoStack undo;
  undo.push("container", [&] { suite.runner.run(pct_command(suite.arena, program, {"destroy", vmid})); });
  std::vector<Machine> machines;
  try {
    suite.runner.run(
        pct_command(suite.arena, program,
                    {"create", vmid, "local:vztmpl/debian-boot.tar.zst", "--hostname", "bench", "--memory",
                     "1024", "--swap", "0", "--unprivileged", "1", "--rootfs", "local:0", "--net0",
                     formatted("name=eth0,bridge={}", suite.arena.bridge)}));
    // lxc-start walks there as the container's root.
    check(chmod(formatted("{}/var/lib/vz/images/{}", suite.arena.scratch, vmid).c_str(), 0755),
          "cannot open the volume to lxc-start");
    machines.push_back(pct_machine(suite, vmid));
  } catch (const Error& error) {
    suite.report_failure("boot", error.what(), true);
    return;
  }
  if (suite.tool("lxc") != nullptr && !find_program("lxc-attach").empty())
    machines.push_back(lxc_machine(suite, vmid));
  for (int round = -1; round < std::max(1, suite.options.rounds / 8); ++round) {
    for (auto& machine : machines) {
      if (!machine.failure.empty()) continue;
      try {
        run_once(suite.runner, machine, round >= 0);
      } catch (const Error& error) {
        stop_if_interrupted();
        machine.failure = error.what();
        suite.report_failure(formatted("boot with {}", machine.contender.title), machine.failure,
                             machine.contender.tool == "pct");
      }
    }
  }
  publish(suite, machines);
}

}  // namespace hutch::bench
