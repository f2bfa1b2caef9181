#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/lower.h"
#include "runtime/planner.h"

// Every tests/golden/<vmid>-<name>.conf compiled for a made-up host and compared with the .plan beside it.
// The host has a unified cgroup tree, or, for <name>.hybrid, v1 controllers beside it; AppArmor for
// 113-apparmor. Run with HUTCH_UPDATE_GOLDEN=1 to write the plans anew, then read the difference.
namespace hutch {
namespace {

namespace fs = std::filesystem;

const char* const kDirectory = "tests/golden";

std::vector<std::string> config_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kDirectory)) {
    if (entry.path().extension() == ".conf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

config::ResolvedVolume resolve(const std::string& volume_id) {
  const std::string name = volume_id.substr(volume_id.find(':') + 1);
  config::ResolvedVolume volume;
  volume.kind = name.ends_with(".raw") ? VolumeSpec::Kind::image : VolumeSpec::Kind::directory;
  volume.path = "/var/lib/vz/images/" + name;
  return volume;
}

config::LoweringContext lowering_context(std::uint32_t vmid) {
  config::LoweringContext context;
  context.vmid = vmid;
  context.resolve_volume = resolve;
  context.read_file = [](const std::string& path) -> std::string {
    throw Error("no such file: " + path, ENOENT);
  };
  context.resolve_snippet = [](const std::string& id) {
    return "/var/lib/vz/" + id.substr(id.find(':') + 1);
  };
  context.device_at = [](const std::string&) { return config::HostDevice{'c', 10, 200}; };
  context.container_named = [](const std::string& name) {
    return name == "101" ? std::optional<std::uint32_t>(101) : std::nullopt;
  };
  context.own_cgroup = [] { return std::string("user.slice"); };
  return context;
}

cgroupv2::Layout unified_layout() {
  cgroupv2::Layout layout;
  layout.unified = "/sys/fs/cgroup";
  layout.v2_controllers = {"cpu", "cpuset", "io", "memory", "pids"};
  return layout;
}

cgroupv2::Layout hybrid_layout() {
  cgroupv2::Layout layout;
  layout.unified = "/sys/fs/cgroup/unified";
  for (const char* controller : {"cpu", "cpuset", "memory", "pids"}) {
    layout.v1[controller] = std::string("/sys/fs/cgroup/") + controller;
  }
  return layout;
}

HostFacts made_up_host(const std::string& name) {
  HostFacts facts;
  facts.cgroups = name.ends_with(".hybrid") ? hybrid_layout() : unified_layout();
  facts.cpus = {0, 1, 2, 3};
  facts.seed = 42;
  facts.bridges = {{"vmbr0", {3, 1500, true}}, {"vmbr1", {4, 9000, true}}};
  facts.bridges["vmbr2"] = {.index = 5, .vlan_aware = true};
  facts.bridges["vmbr3"] = {.index = 6, .learning = false};
  facts.bridges["ovs0"] = {.index = 7, .is_bridge = false, .open_vswitch = true};
  facts.lower_links = {{"eth1", {.index = 8, .name = "eth1", .mtu = 1500}},
                       {"enp+", {.index = 9, .name = "enp5s0", .mtu = 9000, .alternative_names = {"lan"}}}};
  facts.gateways[{AF_INET, "vmbr0"}] = "10.0.0.1";
  facts.last_capability = 40;
  facts.smt = true;
  facts.selinux = name.find("selinux") != std::string::npos;
  if (name.find("apparmor") != std::string::npos) {
    facts.apparmor.emplace();
    facts.apparmor->mount_mediation = true;
  }
  return facts;
}

config::LoweringResult lowered(const std::string& name) {
  const std::string file = name + ".conf";
  const auto vmid = static_cast<std::uint32_t>(*parse_unsigned(name.substr(0, name.find('-'))));
  config::Diagnostics diagnostics;
  const auto config =
      config::read_config(read_file(AT_FDCWD, std::string(kDirectory) + "/" + file), file, vmid, diagnostics);
  return config::lower(config, lowering_context(vmid));
}

StartPlan plan_of(const ContainerSpec& spec, const std::string& name) {
  std::vector<sock_filter> filter;
  if (!spec.seccomp.policy.empty()) filter.resize(1);
  return make_plan(spec, made_up_host(name), filter, Sysroot());
}

std::string plan_text(const std::string& name) {
  const auto result = lowered(name);
  std::string text;
  for (const auto& diagnostic : result.diagnostics) text += "# " + diagnostic.text() + "\n";
  return text + print_plan(plan_of(result.spec, name));
}

struct StepText {
  std::string text;
  std::string undo;
  HostLane lane = HostLane::main;
  std::size_t action = 0;  // HostAction's alternative

  bool operator==(const StepText&) const = default;
};

std::ostream& operator<<(std::ostream& out, const StepText& step) {
  return out << step.text << " / " << step.undo << " / action " << step.action;
}

std::vector<StepText> first_steps(const StartPlan& plan, std::size_t count) {
  std::vector<StepText> steps;
  for (std::size_t at = 0; at < count; ++at) {
    const HostStep& step = plan.host.at(at);
    steps.push_back({step.text, step.undo, step.lane, step.action.index()});
  }
  return steps;
}

class GoldenPlan : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPlan, IsAsReviewed) {
  const std::string path = std::string(kDirectory) + "/" + GetParam() + ".plan";
  const std::string plan = plan_text(GetParam());
  if (std::getenv("HUTCH_UPDATE_GOLDEN") != nullptr) replace_file(AT_FDCWD, path, plan, 0644);
  EXPECT_EQ(plan, read_file(AT_FDCWD, path));
}

TEST_P(GoldenPlan, BeginsWithWhatNeedsOnlyTheSpec) {
  const ContainerSpec spec = lowered(GetParam()).spec;
  const StartPlan plan = plan_of(spec, GetParam());
  const StartPlan begun = begin_plan(spec, Sysroot());
  ASSERT_GT(plan.ahead, 0U);
  EXPECT_EQ(begun.ahead, plan.ahead);
  EXPECT_EQ(begun.host.size(), plan.ahead);
  EXPECT_EQ(first_steps(begun, begun.host.size()), first_steps(plan, plan.ahead));
  EXPECT_EQ(begun.spec.vmid, plan.spec.vmid);
  EXPECT_EQ(begun.shares_memory, plan.shares_memory);
}

TEST_P(GoldenPlan, MakesEachNamespaceOnce) {
  const StartPlan plan = plan_of(lowered(GetParam()).spec, GetParam());
  const auto& wanted = plan.spec.namespaces;
  std::uint64_t early = 0;
  std::uint64_t cloned = 0;
  for (const auto& step : plan.host) {
    if (const auto* order = std::get_if<host::OrderNamespaces>(&step.action)) early |= order->clone_flags;
    if (const auto* spawn = std::get_if<host::Spawn>(&step.action)) cloned |= spawn->clone_flags;
  }
  EXPECT_EQ(early & cloned, 0U);
  const auto made = [&](std::uint64_t flag) { return ((early | cloned) & flag) != 0; };
  EXPECT_EQ(made(CLONE_NEWUSER), wanted.user);
  EXPECT_EQ(made(CLONE_NEWNET), wanted.net);
  EXPECT_EQ(made(CLONE_NEWNS), wanted.mount);
  EXPECT_EQ(made(CLONE_NEWPID), wanted.pid);
  EXPECT_EQ(made(CLONE_NEWIPC), wanted.ipc);
  EXPECT_EQ(made(CLONE_NEWUTS), wanted.uts);
  // A forerunner works in our memory: nobody in the container may see it, and the config may not want it.
  EXPECT_TRUE(early == 0 || (plan.shares_memory && wanted.pid && wanted.shared.empty()));
}

TEST_P(GoldenPlan, HasItsSideStepsInOneRowAndWaitsForThem) {
  const StartPlan plan = plan_of(lowered(GetParam()).spec, GetParam());
  std::vector<std::size_t> side;
  std::vector<std::pair<std::size_t, std::size_t>> waits;  // the waiting step, the one it waits for
  for (std::size_t at = 0; at < plan.host.size(); ++at) {
    if (plan.host[at].lane == HostLane::side) side.push_back(at);
    const auto* wait = std::get_if<host::AwaitSide>(&plan.host[at].action);
    const auto* proceed = std::get_if<host::Proceed>(&plan.host[at].action);
    if (wait != nullptr) waits.emplace_back(at, wait->step);
    if (proceed != nullptr && proceed->after) waits.emplace_back(at, *proceed->after);
  }
  ASSERT_FALSE(side.empty());
  EXPECT_GE(side.front(), plan.ahead);
  EXPECT_EQ(side.back() - side.front() + 1, side.size());
  ASSERT_FALSE(waits.empty());
  for (const auto& [at, step] : waits) {
    EXPECT_EQ(plan.host[at].lane, HostLane::main) << plan.host[at].text;
    EXPECT_EQ(plan.host.at(step).lane, HostLane::side) << plan.host[at].text;
    EXPECT_LT(step, at) << plan.host[at].text;
  }
  // Nobody leaves the lane behind.
  EXPECT_EQ(waits.back().second, side.back());
}

INSTANTIATE_TEST_SUITE_P(Configs, GoldenPlan, ::testing::ValuesIn(config_names()), [](const auto& name) {
  std::string text = name.param;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return text;
});

// Whoever joins the container later has to take the cookie, too.
TEST(Plan, RecordsThatInitHasACoreSchedulingCookie) {
  const std::string name = config_names().front();
  ContainerSpec spec = lowered(name).spec;
  EXPECT_FALSE(plan_of(spec, name).state.core_scheduling);
  spec.core_scheduling = true;
  EXPECT_TRUE(plan_of(spec, name).state.core_scheduling);
}

TEST(GoldenPlans, AreAtLeastTwelve) {
  EXPECT_GE(config_names().size(), 12U);
}

}  // namespace
}  // namespace hutch
