#include "runtime/side_lane.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "tests/base/error_of.h"

namespace hutch {
namespace {

using Steps = std::vector<std::function<void()>>;

// Long enough for a lane that does what it must not do to be caught at it.
void give_time() {
  ::usleep(30'000);
}

// A step that begins, and waits until it may end.
class Gate {
 public:
  std::function<void()> step() {
    return [this] {
      begun_.set_value();
      open_.get_future().wait();
      passed_ = true;
    };
  }
  void await_begin() { begun_.get_future().wait(); }
  void open() { open_.set_value(); }
  bool passed() const { return passed_; }

 private:
  std::promise<void> begun_;
  std::promise<void> open_;
  std::atomic<bool> passed_ = false;
};

std::function<void()> failing(const char* what, int number) {
  return [=] { throw Error(what, number); };
}

TEST(SideLane, RunsItsStepsInOrderOnOneThreadOfItsOwn) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  Steps steps;
  for (int step = 0; step < 100; ++step) {
    steps.emplace_back([&, step] {
      order.push_back(step);
      threads.push_back(std::this_thread::get_id());
    });
  }
  SideLane lane;
  lane.run(steps);
  lane.wait_for(steps.size());
  ASSERT_EQ(order.size(), 100U);
  for (int step = 0; step < 100; ++step) {
    EXPECT_EQ(order[static_cast<std::size_t>(step)], step);
    EXPECT_EQ(threads[static_cast<std::size_t>(step)], threads[0]);
  }
  EXPECT_NE(threads[0], std::this_thread::get_id());
}

TEST(SideLane, WaitsForTheStepsAskedForAndNotForMore) {
  Gate second;
  Gate fourth;
  std::atomic<int> done = 0;
  SideLane lane;
  lane.run({[&] { ++done; }, second.step(), [&] { ++done; }, fourth.step()});
  lane.wait_for(0);
  lane.wait_for(1);
  EXPECT_EQ(done, 1);
  second.await_begin();
  lane.wait_for(1);
  std::atomic<bool> returned = false;
  std::thread waiter([&] {
    lane.wait_for(3);
    returned = true;
  });
  give_time();
  EXPECT_FALSE(returned);
  second.open();
  waiter.join();
  EXPECT_TRUE(second.passed());
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(fourth.passed());
  fourth.open();
  lane.wait_for(4);
  EXPECT_TRUE(fourth.passed());
}

TEST(SideLane, AFailureIsThrownForItsStepAndLaterOnesOnly) {
  std::atomic<int> done = 0;
  SideLane lane;
  lane.run({[&] { ++done; }, [&] { ++done; }, failing("cannot make the link", EEXIST), [&] { ++done; }});
  EXPECT_EQ(error_of([&] { lane.wait_for(3); }).substr(0, 20), "cannot make the link");
  EXPECT_EQ(errno_of([&] { lane.wait_for(3); }), EEXIST);
  EXPECT_EQ(errno_of([&] { lane.wait_for(4); }), EEXIST);
  for (const std::size_t count : {0U, 1U, 2U}) EXPECT_NO_THROW(lane.wait_for(count)) << count;
  give_time();
  EXPECT_EQ(done, 2);
}

TEST(SideLane, AFailureOfAnyKindIsHandedOver) {
  SideLane lane;
  lane.run({[] { throw 42; }});
  EXPECT_THROW(lane.wait_for(1), int);
}

TEST(SideLane, AFailureWakesWhoeverWaitsAlready) {
  Gate first;
  SideLane lane;
  lane.run({first.step(), failing("no", EPERM), [] {}});
  std::promise<int> result;
  std::thread waiter([&] { result.set_value(errno_of([&] { lane.wait_for(3); })); });
  give_time();
  first.open();
  EXPECT_EQ(result.get_future().get(), EPERM);
  waiter.join();
}

TEST(SideLane, WhoComesLastRunsWhatIsNext) {
  Gate first;
  SideLane lane;
  lane.run({first.step(), [] {}});
  std::thread::id by_lane;
  std::thread waiter([&] { lane.wait_for(1, [&] { by_lane = std::this_thread::get_id(); }); });
  const auto waiting = waiter.get_id();
  first.await_begin();
  give_time();
  first.open();
  waiter.join();
  EXPECT_NE(by_lane, std::thread::id());
  EXPECT_NE(by_lane, waiting);
  lane.wait_for(2);
  std::thread::id by_caller;
  lane.wait_for(2, [&] { by_caller = std::this_thread::get_id(); });
  EXPECT_EQ(by_caller, std::this_thread::get_id());
}

TEST(SideLane, WhatIsNextFailsForItsCallerAndNotForTheLane) {
  Gate first;
  std::atomic<bool> second = false;
  SideLane lane;
  lane.run({first.step(), [&] { second = true; }});
  std::promise<int> result;
  std::thread waiter([&] { result.set_value(errno_of([&] { lane.wait_for(1, failing("no", EPIPE)); })); });
  first.await_begin();
  give_time();
  first.open();
  EXPECT_EQ(result.get_future().get(), EPIPE);
  waiter.join();
  lane.wait_for(2);
  EXPECT_TRUE(second);
  EXPECT_EQ(errno_of([&] { lane.wait_for(2, failing("no", EPIPE)); }), EPIPE);
}

TEST(SideLane, NothingIsNextAfterAFailure) {
  Gate first;
  std::atomic<bool> next = false;
  SideLane lane;
  lane.run({first.step(), failing("no", EPERM)});
  std::promise<int> result;
  std::thread waiter([&] { result.set_value(errno_of([&] { lane.wait_for(2, [&] { next = true; }); })); });
  first.await_begin();
  give_time();
  first.open();
  EXPECT_EQ(result.get_future().get(), EPERM);
  waiter.join();
  EXPECT_EQ(errno_of([&] { lane.wait_for(2, [&] { next = true; }); }), EPERM);
  EXPECT_FALSE(next);
}

TEST(SideLane, StopWaitsForTheStepThatRunsAndBeginsNoOther) {
  Gate first;
  std::atomic<bool> second = false;
  SideLane lane;
  lane.run({first.step(), [&] { second = true; }});
  first.await_begin();
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    lane.stop();
    stopped = true;
  });
  give_time();
  EXPECT_FALSE(stopped);
  first.open();
  stopper.join();
  EXPECT_TRUE(first.passed());
  give_time();
  EXPECT_FALSE(second);
}

TEST(SideLane, TheDestructorStopsAsWell) {
  Gate first;
  std::atomic<bool> second = false;
  std::optional<SideLane> lane(std::in_place);
  lane->run({first.step(), [&] { second = true; }});
  first.await_begin();
  std::atomic<bool> destroyed = false;
  std::thread destroyer([&] {
    lane.reset();
    destroyed = true;
  });
  give_time();
  EXPECT_FALSE(destroyed);
  first.open();
  destroyer.join();
  EXPECT_TRUE(first.passed());
  EXPECT_FALSE(second);
}

TEST(SideLane, StoppingTwiceAfterAFailureOrBeforeRunIsFine) {
  SideLane never;
  never.stop();
  never.stop();
  SideLane failed;
  failed.run({failing("no", EPERM)});
  EXPECT_EQ(errno_of([&] { failed.wait_for(1); }), EPERM);
  failed.stop();
  failed.stop();
}

TEST(SideLane, BeforeRunThereIsNothingToWaitFor) {
  SideLane lane;
  EXPECT_NO_THROW(lane.wait_for(3));
  bool next = false;
  lane.wait_for(3, [&] { next = true; });
  EXPECT_TRUE(next);
}

TEST(SideLane, WithoutStepsItIsDoneAtOnce) {
  SideLane lane;
  lane.run({});
  EXPECT_NO_THROW(lane.wait_for(0));
}

}  // namespace
}  // namespace hutch
