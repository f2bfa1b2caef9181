#include "runtime/hot_plug.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "runtime/passed_device.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

TEST(PlugNote, IsReadAsItWasWritten) {
  PlugNote note;
  note.key = "mp7";
  note.target = "/srv/a b";
  note.mount_id = 4294967400;
  note.device = "c 10:200";
  note.made = {"/srv", "/srv/a b"};
  const PlugNote read = parse_note(print_note(note), "mp7");
  EXPECT_EQ(print_note(read), print_note(note));
  EXPECT_EQ(read.made, note.made);
  EXPECT_EQ(read.mount_id, note.mount_id);
}

TEST(PlugNote, OfAnotherFormatIsRefused) {
  for (const auto* bad : {"target /a\nmount x\n", "colour blue\n", "mount -1\n"}) {
    EXPECT_THROW(parse_note(bad, "mp0"), Error) << bad;
  }
}

TEST(DeviceNumberText, IsReadAsItWasWritten) {
  const DeviceNumber number{'b', 259, 1048575};
  EXPECT_EQ(print_device_number(number), "b 259:1048575");
  EXPECT_EQ(parse_device_number("b 259:1048575"), number);
  for (const auto* bad : {"", "c", "x 1:2", "c 1", "c 1:", "c :2", "c  1:2"}) {
    EXPECT_THROW(parse_device_number(bad), Error) << bad;
  }
}

TEST(RunApart, GivesTheResultOfAnotherProcess) {
  EXPECT_NE(run_apart([] { return std::to_string(::getpid()); }), std::to_string(::getpid()));
  EXPECT_EQ(run_apart([] { return std::string(100000, 'x'); }).size(), 100000U);
}

TEST(RunApart, ThrowsWhatWasThrownThere) {
  try {
    run_apart([]() -> std::string { throw Error("cannot do it", ELOOP, "try another"); });
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ELOOP);
    EXPECT_EQ(error.action(), "cannot do it");
    EXPECT_EQ(error.hint(), "try another");
  }
  EXPECT_THROW(run_apart([]() -> std::string { ::_exit(0); }), Error);
}

TEST(AllOrNothing, TakesBackInReverseAndTellsWhatItCouldNot) {
  std::string done;
  try {
    all_or_nothing([&](UndoStack& undo) {
      undo.push("first", [&] { done += "1"; });
      undo.push("second", [] { throw Error("it stays", EBUSY); });
      undo.push("third", [&] { done += "3"; });
      throw Error("broken");
    });
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(done, "31");
    EXPECT_THAT(error.what(), HasSubstr("broken"));
    EXPECT_THAT(error.what(), HasSubstr("second"));
  }
  all_or_nothing([&](UndoStack& undo) { undo.push("kept", [&] { done += "x"; }); });
  EXPECT_EQ(done, "31");
}

}  // namespace
}  // namespace hutch
