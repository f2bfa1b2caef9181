#include "runtime/child_program.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "runtime/id_map.h"
#include "runtime/planner.h"

namespace hutch {
namespace {

TEST(ChildProgram, TheEmptyTextIsOffsetZero) {
  ChildProgram program;
  EXPECT_EQ(program.intern(""), 0U);
  const auto first = program.intern("one");
  const auto second = program.intern("two");
  EXPECT_EQ(program.arena_text(first), "one");
  EXPECT_EQ(program.arena_text(second), "two");
  EXPECT_EQ(program.arena_text(0), "");
}

TEST(ChildProgram, SlotsRunOutLoudly) {
  ChildProgram program;
  for (std::size_t slot = 1; slot < kMaxSlots; ++slot) EXPECT_EQ(program.new_slot(), slot);
  EXPECT_THROW(program.new_slot(), Error);
}

TEST(ChildProgram, FileSystemOptionsAreClosedByAnEmptyKey) {
  ChildProgram program;
  const auto offset = program.intern(encode_fs_options({{"size", "64k"}, {"ro", ""}}));
  const char* text = program.arena.data() + offset;
  EXPECT_EQ(std::string(text, 15), std::string("size\0"
                                               "64k\0"
                                               "ro\0"
                                               "\0"
                                               "\0",
                                               15)
                                       .substr(0, 15));
}

TEST(IdMapFile, IsSortedByTheInnerId) {
  EXPECT_EQ(id_map_file({{1000, 1000, 1, {}}, {0, 100000, 1000, {}}}), "0 100000 1000\n1000 1000 1\n");
  EXPECT_EQ(id_map_file({}), "");
}

TEST(InitEnvironment, NamesTheTerminals) {
  ContainerSpec spec;
  spec.init.environment = {{"TERM=linux", {}}};
  EXPECT_EQ(init_environment(spec),
            (std::vector<std::string>{"TERM=linux", "container=lxc", "container_ttys=pts/1 pts/2"}));
  spec.console = false;
  spec.tty_count = 1;
  EXPECT_EQ(init_environment(spec).back(), "container_ttys=pts/0");
  spec.tty_count = 0;
  EXPECT_EQ(init_environment(spec).back(), "container=lxc");
}

TEST(TtyPath, IsBelowTheTtyDirectory) {
  ContainerSpec spec;
  EXPECT_EQ(tty_path(spec, 1), "tty1");
  spec.tty_directory = "lxc";
  EXPECT_EQ(tty_path(spec, 2), "lxc/tty2");
}

}  // namespace
}  // namespace hutch
