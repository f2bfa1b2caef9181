#include "cli/plan_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/guest_settings.h"
#include "cli/plan_output.h"
#include "config/lower.h"
#include "runtime/planner.h"
#include "tests/cli/command_line.h"

namespace hutch::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kNeeded = "arch: amd64\nostype: unmanaged\nrootfs: /srv/ct\n";

HostFacts made_up_host() {
  HostFacts facts;
  facts.cgroups.unified = "/sys/fs/cgroup";
  facts.cgroups.v2_controllers = {"cpu", "cpuset", "io", "memory", "pids"};
  facts.cpus = {0, 1, 2, 3};
  facts.bridges = {{"vmbr0", {3, 1500, true}}};
  return facts;
}

PlannedStart plan_config(const config::ContainerConfig& config) {
  config::LoweringContext context;
  context.vmid = 100;
  auto lowered = config::lower(config, context);
  std::vector<sock_filter> filter;
  if (!lowered.spec.seccomp.policy.empty()) filter.resize(1);
  auto guest = make_guest_settings(config.main, lowered.spec.unprivileged);
  return {make_plan(lowered.spec, made_up_host(), filter, Sysroot()), std::move(guest),
          std::move(lowered.diagnostics)};
}

struct Traced {
  StartPlan plan;
  std::vector<PlanLine> lines;

  const PlanLine& line(int number) const {
    const auto found = std::find_if(lines.begin(), lines.end(),
                                    [number](const PlanLine& line) { return line.origin.line == number; });
    if (found == lines.end()) throw Error("no line " + std::to_string(number));
    return *found;
  }
  std::vector<std::string> steps(int number) const {
    std::vector<std::string> texts;
    for (const auto& step : line(number).steps) {
      texts.push_back(step.child ? "child: " + plan.child.info.at(step.number - 1).text
                                 : "host: " + plan.host.at(step.number - 1).text);
    }
    return texts;
  }
};

// The lines of a config; those of `text` begin with line 4.
Traced trace(const std::string& text) {
  config::Diagnostics read;
  const auto config = config::read_config(kNeeded + text, "100.conf", 100, read);
  auto start = plan_config(config);
  auto lines = trace_lines(config, read, start, plan_config);
  return {std::move(start.plan), std::move(lines)};
}

TEST(PlanLines, LeadToTheStepsThatCarryTheirOrigin) {
  const auto traced = trace("memory: 512\n");
  EXPECT_THAT(traced.steps(4), ElementsAre(HasSubstr("memory.high"), HasSubstr("memory.max")));
  EXPECT_THAT(traced.line(4).text, "memory: 512");
  EXPECT_THAT(traced.steps(3), ElementsAre(HasSubstr("mount rootfs"), HasSubstr("mount the rootfs over /")));
}

TEST(PlanLines, LeadToTheStepsThatAreOnlyThereWithThem) {
  const auto traced = trace("tty: 1\nunprivileged: 1\nhostname: web\n");
  EXPECT_THAT(traced.steps(6), ElementsAre("child: set the host name to web"));
  EXPECT_THAT(traced.steps(5), ElementsAre(HasSubstr("write the id maps")));
}

TEST(PlanLines, LeadToTheStepsThatDoSomethingElseWithThem) {
  const auto traced = trace(
      "nameserver: 10.0.0.1\nlxc.environment: A=b\nlxc.signal.halt: SIGTERM\n"
      "lxc.cgroup2.devices.allow: c 10:200 rwm\n");
  EXPECT_THAT(traced.steps(4), ElementsAre("host: set up the guest's files"));
  EXPECT_THAT(traced.steps(5), ElementsAre("child: exec /sbin/init"));
  EXPECT_THAT(traced.steps(6), ElementsAre("host: write the state record"));
  EXPECT_THAT(traced.steps(7), ElementsAre(HasSubstr("device filter")));
}

TEST(PlanLines, SayWhichLineOverridesThem) {
  const auto traced = trace("hostname: web\nlxc.uts.name: other\nmemory: 512\nlxc.cgroup2.memory.max:\n");
  EXPECT_EQ(traced.line(5).text, "lxc.uts.name: other");
  EXPECT_THAT(traced.steps(5), ElementsAre("child: set the host name to other"));
  const auto twice = trace("lxc.uts.name: first\nlxc.uts.name: second\n");
  EXPECT_EQ(twice.line(4).reason, "overridden by 100.conf:5");
  EXPECT_THAT(twice.steps(5), ElementsAre("child: set the host name to second"));
}

TEST(PlanLines, WithoutAStepHaveAReason) {
  const auto traced = trace("onboot: 1\nmemory: 16\nmemory: 512\nnonsense\nunprivileged: 0\ndebug: 1\n");
  EXPECT_EQ(traced.line(4).reason, "read by other commands, not by a start");
  EXPECT_THAT(traced.line(5).reason, HasSubstr("given again in line 6"));
  EXPECT_THAT(traced.line(7).reason, HasSubstr("not understood"));
  EXPECT_EQ(traced.line(8).reason, "says what holds without it, too");
  EXPECT_THAT(traced.line(9).reason, HasSubstr("not honoured"));
  for (const int number : {4, 5, 7, 8, 9}) EXPECT_THAT(traced.line(number).steps, IsEmpty()) << number;
}

TEST(PlanLines, TooManyForEveryVariantSaySo) {
  std::string text;
  for (int at = 0; at < 400; ++at) text += "lxc.uts.name: name" + std::to_string(at) + "\n";
  const auto traced = trace(text);
  EXPECT_THAT(traced.line(4).reason, HasSubstr("was not looked for"));
  EXPECT_THAT(traced.line(4 + 398).reason, HasSubstr("not traced: "));
}

// The search for what overrides the first line leaves the comparison of the others their share.
TEST(PlanLines, AreAllComparedBeforeOverridingLinesAreLookedFor) {
  std::string text;
  for (int at = 0; at < 200; ++at) text += "lxc.uts.name: name" + std::to_string(at) + "\n";
  const auto traced = trace(text + "lxc.environment: A=b\n");
  EXPECT_THAT(traced.steps(4 + 200), ElementsAre("child: exec /sbin/init"));
  EXPECT_THAT(traced.steps(4 + 199), ElementsAre("child: set the host name to name199"));
  for (int at = 0; at < 199; ++at)
    EXPECT_THAT(traced.line(4 + at).reason, Not(HasSubstr("not traced"))) << at;
}

TEST(PlanLines, OfALinkLeadToTheStepThatReadsThem) {
  const auto traced = trace(
      "lxc.net.0.type: veth\nlxc.net.0.name: eth0\nlxc.net.0.flags: up\n"
      "lxc.net.0.ipv4.address: 10.0.0.2/24\nlxc.net.0.ipv4.gateway: 10.0.0.1\n");
  const auto set_up = ElementsAre("host: set up eth0 inside: 10.0.0.2/24, gateway 10.0.0.1");
  EXPECT_THAT(traced.steps(8), set_up);
  EXPECT_THAT(traced.steps(7), set_up);
  // Without it there is no start: the gateway needs it.
  EXPECT_THAT(traced.steps(6), set_up);
  EXPECT_THAT(traced.line(6).reason, IsEmpty());
  EXPECT_THAT(traced.steps(4), Contains(HasSubstr("create veth")));
}

TEST(PlanLines, OfHalfAnIdMapLeadToTheStepOfTheOtherHalf) {
  for (const char* text : {"lxc.idmap: u 0 100000 65536\nlxc.idmap: g 0 100000 65536\n",
                           "lxc.id_map: g 0 100000 65536\nlxc.id_map: u 0 100000 65536\n"}) {
    const auto traced = trace(text);
    for (const int number : {4, 5}) {
      EXPECT_THAT(traced.steps(number), Contains(HasSubstr("write the id maps"))) << text;
      EXPECT_THAT(traced.line(number).reason, IsEmpty()) << text;
    }
  }
}

TEST(PlanLines, GiveTheReadersReasonWhereTheyHaveNoStep) {
  EXPECT_THAT(trace("foo: 1\n").line(4).reason, HasSubstr("unknown option"));
}

TEST(PlanLines, ThatTakeStepsAwaySayWhich) {
  const auto traced = trace("lxc.seccomp.profile:\n");
  EXPECT_THAT(traced.steps(4), IsEmpty());
  EXPECT_THAT(traced.line(4).reason, AllOf(HasSubstr("takes steps away: "), HasSubstr("seccomp")));
}

// Whatever a config has, each of its lines is accounted for.
TEST(PlanLines, AllHaveStepsOrAReason) {
  const auto traced = trace(
      "cores: 2\ncpulimit: 1\ncpuunits: 50\nfeatures: nesting=1\nhostname: a\nmp0: /data,mp=/data\nonboot: "
      "1\n"
      "net0: name=eth0,bridge=vmbr0,ip=10.0.0.2/24\nsearchdomain: a.b\nstartup: order=1\nswap: 0\ntags: a\n"
      "timezone: UTC\nunprivileged: 1\nlxc.mount.entry: /a a none bind 0 0\nlxc.prlimit.nofile: 100\n"
      "lxc.sysctl.kernel.msgmax: 9000\nlxc.cap.drop: chown\nlxc.init.cwd: /tmp\nlxc.idmap: u 0 100000 65536\n"
      "lxc.idmap: g 0 100000 65536\nlxc.apparmor.raw: deny mount,\nlxc.pty.max: 10\n");
  EXPECT_THAT(traced.lines, SizeIs(26));
  for (const auto& line : traced.lines) EXPECT_NE(line.steps.empty(), line.reason.empty()) << line.text;
}

TEST(PlanText, ListsLinesWithTheirStepsAndThenTheOthers) {
  const auto traced = trace("cores: 2\nonboot: 1\n");
  const std::string text = plan_text(traced.plan, traced.lines);
  EXPECT_TRUE(text.starts_with(print_plan(traced.plan)));
  EXPECT_THAT(text, HasSubstr("\n100.conf:4  cores: 2         host "));
  EXPECT_THAT(text, HasSubstr("# lines without a step\n100.conf:1  arch: amd64"));
  EXPECT_THAT(text, HasSubstr("\n100.conf:5  onboot: 1          read by other commands, not by a start\n"));
}

TEST(PlanText, JoinsStepsInARow) {
  StartPlan plan;
  const std::vector<StepNumber> steps = {{false, 2}, {false, 3}, {false, 4},
                                         {false, 7}, {true, 1},  {true, 3}};
  EXPECT_THAT(plan_text(plan, {{{"a", 1}, "x", steps, {}}}), HasSubstr("a:1  x  host 2-4, 7; child 1, 3\n"));
}

TEST(PlanJson, HasStepsOfBothSidesAndTheLines) {
  const auto traced = trace("cores: 2\nonboot: 1\n");
  const auto json = nlohmann::json::parse(plan_json(traced.plan, traced.lines));
  EXPECT_EQ(json["vmid"], 100);
  EXPECT_EQ(json["config"], "100.conf");
  ASSERT_EQ(json["host"].size(), traced.plan.host.size());
  ASSERT_EQ(json["child"].size(), traced.plan.child.info.size());
  EXPECT_EQ(json["host"][0]["number"], 1);
  EXPECT_EQ(json["host"][0]["text"], traced.plan.host[0].text);
  EXPECT_EQ(json["host"][0]["lane"], "main");
  ASSERT_EQ(json["lines"].size(), 5U);
  const auto& cores = json["lines"][3];
  EXPECT_EQ(cores["origin"], (nlohmann::json{{"source", "100.conf"}, {"line", 4}}));
  EXPECT_EQ(cores["text"], "cores: 2");
  ASSERT_EQ(cores["steps"].size(), 1U);
  const auto& step = json["host"][cores["steps"][0]["number"].get<std::size_t>() - 1];
  EXPECT_EQ(step["origin"], cores["origin"]);
  EXPECT_EQ(json["lines"][4]["steps"], nlohmann::json::array());
  EXPECT_EQ(json["lines"][4]["reason"], "read by other commands, not by a start");
}

TEST(PlanCommand, RefusesOtherFormats) {
  const testing::TemporaryHost host;
  const auto outcome = testing::run_pct(host, {"plan", "100", "--output-format", "yaml"});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err, HasSubstr("output-format: 'yaml' is none of json, text"));
}

}  // namespace
}  // namespace hutch::cli
