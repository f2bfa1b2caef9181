#include "base/undo.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hutch {
namespace {

using Words = std::vector<std::string>;

TEST(UndoStack, RunsInReverseOrderOnDestruction) {
  Words done;
  {
    UndoStack undo;
    for (const char* name : {"first", "second", "third"})
      undo.push(name, [&done, name] { done.push_back(name); });
    EXPECT_FALSE(undo.empty());
    EXPECT_TRUE(done.empty());
  }
  EXPECT_EQ((Words{"third", "second", "first"}), done);
}

TEST(UndoStack, RunsWhenAnExceptionPasses) {
  bool undone = false;
  try {
    UndoStack undo;
    undo.push("a", [&] { undone = true; });
    throw std::runtime_error("later step failed");
  } catch (const std::runtime_error&) {
  }
  EXPECT_TRUE(undone);
}

TEST(UndoStack, RunsOnlyOnce) {
  int times = 0;
  {
    UndoStack undo;
    undo.push("a", [&] { ++times; });
    undo.run();
    EXPECT_TRUE(undo.empty());
  }
  EXPECT_EQ(1, times);
}

TEST(UndoStack, DismissKeepsEverything) {
  bool undone = false;
  {
    UndoStack undo;
    undo.push("a", [&] { undone = true; });
    undo.dismiss();
  }
  EXPECT_FALSE(undone);
}

TEST(UndoStack, RunsBackToAStep) {
  std::string order;
  UndoStack undo;
  undo.push("a", [&] { order += 'a'; });
  const auto done = undo.size();
  undo.push("b", [&] { order += 'b'; });
  undo.push("c", [&] { order += 'c'; });
  undo.run_back_to(done);
  EXPECT_EQ(order, "cb");
  undo.run();
  EXPECT_EQ(order, "cba");
}

TEST(UndoStack, FailuresAreToldAndStopNothing) {
  Words told, done;
  {
    UndoStack undo(
        [&](const std::string& name, const std::string& reason) { told.push_back(name + ": " + reason); });
    undo.push("first", [&] { done.push_back("first"); });
    undo.push("second", [] { throw std::runtime_error("busy"); });
    undo.push("third", [&] { done.push_back("third"); });
  }
  EXPECT_EQ((Words{"second: busy"}), told);
  EXPECT_EQ((Words{"third", "first"}), done);
}

TEST(UndoStack, FailureWithoutSinkStopsNothing) {
  bool undone = false;
  {
    UndoStack undo;
    undo.push("first", [&] { undone = true; });
    undo.push("second", [] { throw std::runtime_error("busy"); });
  }
  EXPECT_TRUE(undone);
}

TEST(UndoStack, AnUndoMayPushAnother) {
  Words done;
  UndoStack undo;
  undo.push("a", [&] {
    done.push_back("a");
    undo.push("b", [&] { done.push_back("b"); });
  });
  undo.run();
  EXPECT_EQ((Words{"a", "b"}), done);
}

}  // namespace
}  // namespace hutch
