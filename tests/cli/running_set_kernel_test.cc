#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>

#include "cgroupv2/cpuset.h"
#include "tests/cli/running_container.h"

// `pct set` on containers that run: what the container feels, what is stored, what is taken back.
namespace hutch::cli {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using ::testing::StartsWith;
using testing::TemporaryHost;

class RunningSet : public testing::RunningContainer {};

TEST_F(RunningSet, MemoryIsFelt) {
  const std::vector<std::string> large = {"dd", "if=/dev/zero", "of=/dev/null", "bs=90M", "count=1"};
  EXPECT_EQ(inside(large).status, 137);
  expect_done({"--memory", "256"});
  EXPECT_EQ(memory_limit(), "268435456");
  EXPECT_EQ(limit("memory", "memory.high", "memory.soft_limit_in_bytes"),
            std::to_string(256UL * 1024 * 1016));
  EXPECT_EQ(inside(large).status, 0);
  expect_done({"--memory", "64"});
  EXPECT_EQ(inside(large).status, 137);
  EXPECT_THAT(config(), HasSubstr("memory: 64\n"));
  EXPECT_THAT(config(), Not(HasSubstr("pve:pending")));
}

TEST_F(RunningSet, SwapGrowsShrinksAndGoes) {
  const bool v1 = !layout_.has_v2("memory");
  const auto swap = [&] { return limit("memory", "memory.swap.max", "memory.memsw.limit_in_bytes"); };
  expect_done({"--memory", "128", "--swap", "128"});
  EXPECT_EQ(swap(), std::to_string((v1 ? 256UL : 128UL) << 20));
  expect_done({"--memory", "64", "--swap", "16"});
  EXPECT_EQ(swap(), std::to_string((v1 ? 80UL : 16UL) << 20));
  expect_done({"--delete", "swap"});
  EXPECT_EQ(swap(), std::to_string((v1 ? 64UL : 0UL) << 20));
}

TEST_F(RunningSet, CpuLimitIsFeltAndLifted) {
  expect_done({"--cpulimit", "0.1"});
  EXPECT_THAT(cpu_limit(), AnyOf("10000", "10000 100000"));
  // 30 ms of CPU time take 300 ms at a tenth of a CPU, and the first period's share comes at once.
  const auto begin = std::chrono::steady_clock::now();
  inside({"sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"});
  const auto throttled = limit("cpu", "cpu.stat", "cpu.stat");
  EXPECT_THAT(throttled, Not(HasSubstr("nr_throttled 0\n")))
      << (std::chrono::steady_clock::now() - begin).count();
  expect_done({"--cpulimit", "0"});
  EXPECT_THAT(cpu_limit(), AnyOf("-1", "max 100000"));
  expect_done({"--cpulimit", "2"});
  expect_done({"--delete", "cpulimit"});
  EXPECT_THAT(cpu_limit(), AnyOf("-1", "max 100000"));
  EXPECT_THAT(config(), Not(HasSubstr("cpulimit")));
}

TEST_F(RunningSet, CpuUnitsAreClampedAndGo) {
  const auto weight = [&] { return limit("cpu", "cpu.weight", "cpu.shares"); };
  expect_done({"--cpuunits", "300000"});
  EXPECT_THAT(weight(), AnyOf("10000", "262144"));
  EXPECT_THAT(config(), HasSubstr("cpuunits: 10000\n"));
  const auto zero = set({"--cpuunits", "0"});
  EXPECT_NE(zero.status, 0);
  EXPECT_THAT(zero.err, StartsWith("unable to hotplug cpuunits: option 'cpuunits': 0 is no CPU weight"));
  EXPECT_THAT(weight(), AnyOf("10000", "262144"));
  expect_done({"--delete", "cpuunits"});
  EXPECT_THAT(weight(), AnyOf("100", "1024"));
}

TEST_F(RunningSet, CoresAreSeenAtOnce) {
  const auto all = cgroupv2::effective_cpus(layout_).size();
  if (all < 2) GTEST_SKIP() << "probe: only one CPU";
  EXPECT_EQ(inside({"nproc"}).out, std::to_string(all) + "\n");
  expect_done({"--cores", "1"});
  EXPECT_EQ(inside({"nproc"}).out, "1\n");
  expect_done({"--cores", "8192"});
  EXPECT_EQ(inside({"nproc"}).out, std::to_string(all) + "\n");
  expect_done({"--cores", "1"});
  expect_done({"--delete", "cores"});
  EXPECT_EQ(inside({"nproc"}).out, std::to_string(all) + "\n");
}

TEST_F(RunningSet, CpusThatTheUserChoseAreLeftAlone) {
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  host.add_container(kVmid, config() + "lxc.cgroup2.cpuset.cpus: 0\n");
  ASSERT_EQ(pct({"start", kId}).status, 0);
  expect_done({"--cores", "2"});
  EXPECT_EQ(limit("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
  EXPECT_THAT(config(), HasSubstr("cores: 2\n"));
}

TEST_F(RunningSet, WhatSucceededIsTakenBackWhenSomethingFails) {
  expect_done({"--cpulimit", "1", "--cores", "1"});
  const std::string before = config();
  const std::string cpus = limit("cpuset", "cpuset.cpus", "cpuset.cpus");
  const auto outcome =
      set({"--memory", "128", "--swap", "64", "--cpulimit", "0.5", "--cores", "2", "--hostname", "x",
           "--cpuunits", "0", "--mp0", "local:2110/subvol-2110-disk-9.subvol,mp=/a"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("unable to hotplug cpuunits: "));
  EXPECT_THAT(outcome.err, HasSubstr("\nunable to hotplug mp0: "));
  EXPECT_EQ(config(), before);
  EXPECT_EQ(memory_limit(), "67108864");
  EXPECT_EQ(limit("memory", "memory.swap.max", "memory.memsw.limit_in_bytes"),
            layout_.has_v2("memory") ? "0" : "67108864");
  EXPECT_THAT(cpu_limit(), StartsWith("100000"));
  EXPECT_EQ(limit("cpuset", "cpuset.cpus", "cpuset.cpus"), cpus);
}

TEST_F(RunningSet, ShrinkingBelowUseSaysWhatToDo) {
  expect_done({"--memory", "128"});
  // dd fills its buffer and then waits for a reader.
  const auto hog = [&] {
    return pct(
        {"exec", kId, "--", "/bin/busybox", "sh", "-c",
         "{ /bin/busybox dd if=/dev/zero bs=48M count=1 | /bin/busybox sleep 1000; } >/dev/null 2>&1 & "
         "while ! /bin/busybox grep -qs ' [4-6].... kB' /run/full; do /bin/busybox sleep 0.1; "
         "/bin/busybox grep -hs VmRSS /proc/[0-9]*/status >/run/full; done"});
  };
  ASSERT_EQ(hog().status, 0);
  const std::string before = config();
  const auto outcome = set({"--cpulimit", "1", "--memory", "32"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, StartsWith("unable to hotplug memory: "));
  EXPECT_THAT(outcome.err, HasSubstr("EBUSY"));
  EXPECT_THAT(outcome.err, HasSubstr("end programs inside"));
  EXPECT_EQ(config(), before);
  EXPECT_EQ(memory_limit(), "134217728");
  EXPECT_THAT(cpu_limit(), AnyOf("-1", "max 100000"));
  EXPECT_EQ(inside({"test", "-s", "/run/full"}).status, 0);
}

TEST_F(RunningSet, TheConfigIsUnchangedWhenTheFileCannotBeWritten) {
  const std::string etc = host.path("etc");
  const std::string text = config();
  run_checked({"mount", "-t", "tmpfs", "-o", "size=64k", "none", etc});
  host.add_container(kVmid, text);
  run_checked({"mount", "-o", "remount,ro", etc});
  const auto outcome = set({"--memory", "128"});
  run_checked({"umount", etc});
  EXPECT_EQ(outcome.status, EROFS) << outcome.err;
  EXPECT_EQ(memory_limit(), "67108864");
  EXPECT_EQ(config(), text);
}

TEST_F(RunningSet, TheRestWaitsAndIsAppliedByStop) {
  expect_done({"--hostname", "web", "--nameserver", "10.0.0.1", "--tty", "3", "--onboot", "1"});
  EXPECT_THAT(config(), HasSubstr("hostname: web\n"));
  EXPECT_THAT(config(), HasSubstr("\n[pve:pending]\nnameserver: 10.0.0.1\ntty: 3\n"));
  EXPECT_THAT(pending(), HasSubstr("new nameserver: 10.0.0.1\n"));
  EXPECT_THAT(pending(), HasSubstr("cur tty: 0\nnew tty: 3\n"));
  EXPECT_THAT(pct({"config", kId}).out, HasSubstr("tty: 3\n"));
  EXPECT_THAT(pct({"config", kId, "--current"}).out, HasSubstr("tty: 0\n"));
  expect_done({"--revert", "nameserver"});
  expect_done({"--tty", "0", "--delete", "onboot"});
  EXPECT_THAT(config(), Not(HasSubstr("pending")));
  expect_done({"--tty", "4"});
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  EXPECT_THAT(config(), HasSubstr("\ntty: 4\n"));
  EXPECT_THAT(config(), Not(HasSubstr("pending")));
}

TEST_F(RunningSet, MistakesInTheQueueAreNotTakenOver) {
  const std::string queue = "\n[pve:pending]\nfoo: 1\nmemory: abc\nonboot: maybe\n";
  host.add_container(kVmid, config() + queue);
  const auto outcome = set({"--swap", "0", "--cpulimit", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              ContainsRegex("pending change memory is left: .*conf:[0-9]+\\]; correct the line"));
  EXPECT_THAT(outcome.err,
              ContainsRegex("pending change onboot is left: .*conf:[0-9]+\\]; correct the line"));
  EXPECT_THAT(config(), HasSubstr(queue));
  EXPECT_THAT(config(), HasSubstr("cpulimit: 1\n"));
  EXPECT_EQ(memory_limit(), "67108864");
  EXPECT_EQ(set({"--revert", "foo,memory,onboot"}).status, 0);
  EXPECT_THAT(config(), Not(HasSubstr("pending")));
}

TEST_F(RunningSet, AQueuedChangeThatFailsIsTakenBackAndTheRestStays) {
  ASSERT_EQ(inside({"ln", "-s", "/tmp", "/link"}).status, 0);
  const std::string queue = "\n[pve:pending]\nmp0: local:0,mp=/link/a\n";
  host.add_container(kVmid, config() + queue);
  const auto outcome = set({"--cpulimit", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, ContainsRegex("pending change mp0 is left: .*ELOOP"));
  EXPECT_THAT(config(), HasSubstr("cpulimit: 1\n"));
  EXPECT_THAT(config(), HasSubstr(queue));
  EXPECT_FALSE(std::filesystem::exists(host.path("var/lib/vz/images/2110/subvol-2110-disk-1.subvol")));
}

TEST_F(RunningSet, AGuestThatEndsByItselfGetsItsChanges) {
  expect_done({"--tty", "1"});
  ASSERT_EQ(::kill(find_running(host.sysroot(), kVmid)->init.pid, SIGKILL), 0);
  EXPECT_TRUE(stops());
  EXPECT_TRUE(nothing_waits_any_more()) << config();
  EXPECT_THAT(config(), HasSubstr("\ntty: 1\n"));
}

TEST_F(RunningSet, WhatWaitedIsInForceAfterTheNextStart) {
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  // As a host that went down with the container leaves it.
  host.add_container(kVmid, config() +
                                "\n[pve:pending]\nhostname: later\nmemory: 96\nmp0: local:0,mp=/mnt\n"
                                "mp1: local:2110/subvol-2110-disk-9.subvol,mp=/gone\n");
  const auto started = pct({"start", kId});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_THAT(started.out, HasSubstr("WARN: unable to apply pending change mp1 : "));
  EXPECT_EQ(memory_limit(), "100663296");
  EXPECT_EQ(inside({"hostname"}).out, "later\n");
  EXPECT_EQ(inside({"test", "-d", "/mnt"}).status, 0);
  EXPECT_THAT(config(), HasSubstr("mp0: local:2110/subvol-2110-disk-1.subvol,mp=/mnt,size=0T\n"));
  EXPECT_THAT(config(), HasSubstr("\n[pve:pending]\nmp1: local:2110/subvol-2110-disk-9.subvol,mp=/gone\n"));
}

TEST_F(RunningSet, WithoutANetworkOfItsOwnLinksAreOnlyInTheConfig) {
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  const std::string link = "name=eth0,bridge=nosuchbr0,hwaddr=02:00:00:00:00:01,type=veth";
  host.add_container(kVmid, config() + "net0: " + link + "\nlxc.namespace.keep: net\n");
  const auto started = pct({"start", kId});
  ASSERT_EQ(started.status, 0) << started.err;
  const auto added = set({"--net1", "name=eth1,bridge=nosuchbr0"});
  EXPECT_NE(added.status, 0);
  EXPECT_THAT(added.err, HasSubstr("unable to hotplug net1: CT 2110 uses a network namespace that is not its "
                                   "own: no interface can be added"));
  EXPECT_THAT(config(), Not(HasSubstr("net1")));
  expect_done({"--net0", "name=eth0,bridge=other0,hwaddr=02:00:00:00:00:02"});
  EXPECT_THAT(config(), HasSubstr("net0: name=eth0,bridge=other0,hwaddr=02:00:00:00:00:02,type=veth\n"));
  expect_done({"--delete", "net0"});
  EXPECT_THAT(config(), Not(HasSubstr("net0")));
}

TEST_F(RunningSet, AnImageOfAMountPointThatWaitsForItsEndIsNotMountedTwice) {
  host.write("var/lib/vz/images/2110/vm-2110-disk-5.raw", "x");
  const std::string disk = "local:2110/vm-2110-disk-5.raw";
  host.add_container(kVmid, config() + "mp0: " + disk + ",mp=/a\n");
  const auto outcome = set({"--delete", "mp0", "--mp1", disk + ",mp=/b"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, ContainsRegex("unable to hotplug mp1: mp0 and mp1 are both the image .*--mp1"));
}

TEST_F(RunningSet, AMountPointThatIsDeletedStaysUntilTheStop) {
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  expect_done({"--mp0", "local:0,mp=/mnt"});
  ASSERT_EQ(pct({"start", kId}).status, 0);
  expect_done({"--delete", "mp0"});
  EXPECT_THAT(pending(), HasSubstr("del mp0: "));
  EXPECT_EQ(inside({"grep", " /mnt ", "/proc/mounts"}).status, 0);
  ASSERT_EQ(pct({"shutdown", kId, "--timeout", "0", "--forceStop", "1"}).status, 0);
  EXPECT_THAT(config(), HasSubstr("unused0: local:2110/subvol-2110-disk-1.subvol\n"));
  ASSERT_EQ(pct({"start", kId}).status, 0);
  expect_done({"--delete", "unused0"});
  EXPECT_FALSE(std::filesystem::exists(host.path("var/lib/vz/images/2110/subvol-2110-disk-1.subvol")));
}

}  // namespace
}  // namespace hutch::cli
