#include <fcntl.h>
#include <gtest/gtest.h>

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
  context.device_at = [](const std::string&) { return config::HostDevice{'c', 10, 200}; };
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
  facts.last_capability = 40;
  if (name.find("apparmor") != std::string::npos) {
    facts.apparmor.emplace();
    facts.apparmor->mount_mediation = true;
  }
  return facts;
}

std::string plan_of(const std::string& name) {
  const std::string file = name + ".conf";
  const auto vmid = static_cast<std::uint32_t>(*parse_unsigned(name.substr(0, name.find('-'))));
  config::Diagnostics diagnostics;
  const auto config =
      config::read_config(read_file(AT_FDCWD, std::string(kDirectory) + "/" + file), file, vmid, diagnostics);
  const auto lowered = config::lower(config, lowering_context(vmid));
  std::string text;
  for (const auto& diagnostic : lowered.diagnostics) text += "# " + diagnostic.text() + "\n";
  std::vector<sock_filter> filter;
  if (!lowered.spec.seccomp.policy.empty()) filter.resize(1);
  return text + print_plan(make_plan(lowered.spec, made_up_host(name), filter, Sysroot()));
}

class GoldenPlan : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPlan, IsAsReviewed) {
  const std::string path = std::string(kDirectory) + "/" + GetParam() + ".plan";
  const std::string plan = plan_of(GetParam());
  if (std::getenv("HUTCH_UPDATE_GOLDEN") != nullptr) replace_file(AT_FDCWD, path, plan, 0644);
  EXPECT_EQ(plan, read_file(AT_FDCWD, path));
}

INSTANTIATE_TEST_SUITE_P(Configs, GoldenPlan, ::testing::ValuesIn(config_names()), [](const auto& name) {
  std::string text = name.param;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return text;
});

TEST(GoldenPlans, AreAtLeastTwelve) {
  EXPECT_GE(config_names().size(), 12U);
}

}  // namespace
}  // namespace hutch
