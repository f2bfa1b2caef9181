#include "bench/code_trace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "bench/function_order.h"

namespace hutch::bench {
namespace {

using testing::Contains;
using testing::Not;

Command stepped_program(std::vector<std::string> arguments = {}) {
  Command command;
  command.argv = {HUTCH_STEPPED_PROGRAM};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return command;
}

TEST(CodeTrace, SeesWhatTheProgramItsThreadsAndProcessesRun) {
  const auto pieces = read_link_map(read_file(AT_FDCWD, std::string(HUTCH_STEPPED_PROGRAM) + ".map"));
  std::vector<std::uint64_t> addresses = executed_addresses(stepped_program());
  // A program that is not position-independent: its map has the addresses in memory.
  const std::uint64_t base = 0x400000;
  for (auto& address : addresses) address += base;
  const auto patterns = patterns_at(pieces, addresses);
  EXPECT_THAT(patterns, Contains("*(.text.called_by_main)"));
  EXPECT_THAT(patterns, Contains("*(.text.called_by_thread)"));
  EXPECT_THAT(patterns, Contains("*(.text.called_by_process)"));
  EXPECT_THAT(patterns, Not(Contains("*(.text.called_by_nobody)")));
  const auto place = [&](const std::string& pattern) {
    return std::find(patterns.begin(), patterns.end(), pattern);
  };
  EXPECT_LT(place("*(.text.called_by_main)"), place("*(.text.called_by_thread)"));
  EXPECT_LT(place("*(.text.called_by_thread)"), place("*(.text.called_by_process)"));
}

TEST(CodeTrace, TellsOfAProgramThatFails) {
  EXPECT_THROW(executed_addresses(stepped_program({"fail"})), Error);
}

TEST(CodeTrace, TellsOfAProgramThatIsNotThere) {
  Command command;
  command.argv = {"/nonexistent/program"};
  EXPECT_THROW(executed_addresses(command), Error);
}

}  // namespace
}  // namespace hutch::bench
