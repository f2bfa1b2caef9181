#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/cli/container_fixture.h"

// `pct start --trace` and `--timing` with real containers.
namespace hutch::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

class StartTrace : public testing::ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    const auto created =
        pct({"create", vmid_, "local:vztmpl/debian.tar.gz", "--rootfs", "0", "--unprivileged", "1"});
    ASSERT_EQ(created.status, 0) << created.err;
    std::filesystem::create_directories(host.path("work"));
    std::filesystem::current_path(host.path("work"));
  }
  void TearDown() override {
    std::filesystem::current_path(home_);
    if (IsSkipped()) return;
    const auto stopped = pct({"stop", vmid_});
    if (started_) {
      EXPECT_EQ(stopped.status, 0) << stopped.err;
    }
    EXPECT_THAT(kernel_leftovers(), IsEmpty());
    // Where the start's private mounts put whoever enters them.
    EXPECT_FALSE(std::filesystem::remove("/" + trace_));
  }

  void add_to_config(const std::string& lines) {
    const auto vmid = static_cast<unsigned>(std::stoul(vmid_));
    host.add_container(vmid, host.config(vmid) + lines);
  }

  testing::Outcome start(const std::vector<std::string>& options) {
    std::vector<std::string> words = {"start", vmid_};
    words.insert(words.end(), options.begin(), options.end());
    const auto outcome = pct(words);
    started_ = outcome.status == 0;
    return outcome;
  }

  // The names of the steps that the file has for a lane, in their order.
  std::vector<std::string> steps(const std::string& lane) const {
    const std::string text = host.read("work/" + trace_);
    std::vector<std::string> names;
    if (text.empty()) return names;
    const auto trace = nlohmann::json::parse(text);
    for (const auto& event : trace.at("traceEvents")) {
      if (event.value("cat", "") == lane) names.push_back(event.at("name"));
    }
    return names;
  }

  const std::string vmid_ = std::to_string(800'000'000 + ::getpid());
  const std::string trace_ = "hutch-test-" + vmid_ + ".json";

 private:
  const std::filesystem::path home_ = std::filesystem::current_path();
  bool started_ = false;
};

TEST_F(StartTrace, IsWrittenWhereTheUserIsWithEveryLane) {
  const auto outcome = start({"--trace", trace_});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, Not(HasSubstr("took ms")));
  EXPECT_EQ(std::filesystem::current_path(), host.path("work"));
  EXPECT_THAT(steps("pct"), IsSupersetOf({"make the supervisor", "take the lock", "read the config",
                                          "lower the config", "plan the start"}));
  EXPECT_THAT(steps("host"), IsSupersetOf({"write the state record", "enter the supervisor's mount namespace",
                                           "wait for init to be executed"}));
  EXPECT_THAT(steps("side"),
              ElementsAre("wait for the first process", StartsWith("write the id maps: u 0 100000 65536")));
  const auto child = steps("child");
  ASSERT_FALSE(child.empty());
  EXPECT_EQ(child.back(), "exec /sbin/init");
  EXPECT_THAT(child, Contains("become the container's root"));
}

TEST_F(StartTrace, HasTheTwoProcessesOfTheStart) {
  ASSERT_EQ(start({"--trace", trace_}).status, 0);
  const auto trace = nlohmann::json::parse(host.read("work/" + trace_));
  std::set<int> ours;
  std::set<int> childs;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    EXPECT_GE(event.at("dur").get<double>(), 0) << event;
    (event.at("cat") == "child" ? childs : ours).insert(event.at("pid").get<int>());
  }
  EXPECT_EQ(ours, std::set<int>{::getpid()});
  EXPECT_EQ(childs.size(), 1U);
  EXPECT_EQ(childs.count(::getpid()), 0U);
}

TEST_F(StartTrace, IsWrittenWhenInitIsMissing) {
  add_to_config("lxc.init.cmd: /sbin/missing\n");
  const auto outcome = start({"--trace", trace_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("/sbin/missing"));
  EXPECT_EQ(std::filesystem::current_path(), host.path("work"));
  for (const char* lane : {"pct", "host", "side", "child"}) EXPECT_THAT(steps(lane), Not(IsEmpty())) << lane;
  EXPECT_THAT(steps("host"), Contains("wait for init to be executed"));
  EXPECT_THAT(steps("host"), Not(Contains("publish the state record")));
}

TEST_F(StartTrace, HasNoStepThatTheChildNeverCameTo) {
  add_to_config("lxc.cgroup2.pids.max: no-number\n");
  const auto outcome = start({"--trace", trace_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("pids.max"));
  EXPECT_THAT(steps("host"), Contains(HasSubstr("pids.max = no-number")));
  EXPECT_THAT(steps("host"), Not(Contains("send 'limited'")));
  EXPECT_THAT(steps("child"), Not(Contains("exec /sbin/init")));
}

TEST_F(StartTrace, EndsWithTheStepThatFailedInTheChild) {
  add_to_config("lxc.mount.entry: none no/where tmpfs defaults 0 0\n");
  const auto outcome = start({"--trace", trace_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("/no/where"));
  const auto child = steps("child");
  ASSERT_FALSE(child.empty());
  EXPECT_THAT(child.back(), HasSubstr("/no/where"));
  EXPECT_GT(child.size(), 10U);
}

TEST_F(StartTrace, ThatCannotBeWrittenDoesNotHideWhyTheStartFailed) {
  add_to_config("lxc.init.cmd: /sbin/missing\n");
  const auto outcome = start({"--trace", "no-directory/" + trace_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("/sbin/missing"));
  EXPECT_THAT(outcome.out + outcome.err, HasSubstr("no-directory/" + trace_));
}

TEST_F(StartTrace, ThatCannotBeWrittenIsAWarningBesideARunningContainer) {
  const auto outcome = start({"--trace", "no-directory/trace.json"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out + outcome.err, HasSubstr("WARN: cannot create 'no-directory/trace.json'"));
}

TEST_F(StartTrace, IsWrittenWhenTheStartCannotBePlanned) {
  add_to_config("net0: name=eth0,bridge=hutch-none,hwaddr=02:00:00:00:00:01,type=veth\n");
  const auto outcome = start({"--trace", trace_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("hutch-none"));
  EXPECT_EQ(std::filesystem::current_path(), host.path("work"));
  EXPECT_THAT(steps("pct"), Contains("look at the host"));
  // What had begun already.
  EXPECT_THAT(steps("host"), Contains("let the supervisor make the namespaces: user net"));
}

TEST_F(StartTrace, TimingIsPrinted) {
  const auto outcome = start({"--timing"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("   at ms  took ms"));
  for (const char* line : {"  pct   make the supervisor\n", "  host  write the state record\n",
                           "  side  wait for the first process\n", "  child exec /sbin/init\n"}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
  EXPECT_FALSE(std::filesystem::exists(trace_));
}

TEST_F(StartTrace, WithoutTheOptionsNothingIsShown) {
  const auto outcome = start({});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, Not(HasSubstr("took ms")));
  EXPECT_TRUE(std::filesystem::is_empty(host.path("work")));
}

}  // namespace
}  // namespace hutch::cli
