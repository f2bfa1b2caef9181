#include "cli/command_table.h"

#include <gtest/gtest.h>

#include <set>

namespace hutch::cli {
namespace {

std::string found(const char* word) {
  const auto* row = find_command(word);
  return row == nullptr ? "-" : row->name;
}

TEST(CommandTable, NamesAndPrefixes) {
  EXPECT_EQ(found("list"), "list");
  EXPECT_EQ(found("l"), "list");
  EXPECT_EQ(found("des"), "destroy");
  EXPECT_EQ(found("start"), "start");
  EXPECT_EQ(found("sta"), "-");  // start, status
  EXPECT_EQ(found("st"), "-");
  EXPECT_EQ(found("sto"), "stop");
  EXPECT_EQ(found("LIST"), "-");
  EXPECT_EQ(found(""), "-");
  EXPECT_EQ(found("listx"), "-");
  EXPECT_EQ(found("migrate"), "-");
}

TEST(CommandTable, UsageLines) {
  EXPECT_EQ(usage_line(*find_command("list")), "pct list");
  EXPECT_EQ(usage_line(*find_command("start")), "pct start <vmid> [OPTIONS]");
  EXPECT_EQ(usage_line(*find_command("create")), "pct create <vmid> <ostemplate> [OPTIONS]");
  EXPECT_EQ(usage_line(*find_command("exec")), "pct exec <vmid> [<extra-args>] [OPTIONS]");
}

TEST(CommandTable, OverviewHasEveryCommandIndented) {
  const std::string text = usage_overview();
  EXPECT_EQ(text.find("USAGE: pct <COMMAND> [ARGS] [OPTIONS]\n\n       pct config <vmid> [OPTIONS]\n"), 0U);
  for (const auto& row : command_table()) {
    EXPECT_NE(text.find("\n       " + usage_line(row) + "\n"), std::string::npos) << row.name;
  }
}

TEST(CommandTable, EveryOptionIsDescribedOnceAndUnique) {
  for (const auto& row : command_table()) {
    std::set<std::string> names;
    for (const auto& option : row.options()) {
      EXPECT_TRUE(names.insert(option.name).second) << row.name << " " << option.name;
      EXPECT_FALSE(option.help.empty()) << row.name << " " << option.name;
    }
    EXPECT_NE(full_help(row).find(usage_line(row)), std::string::npos);
  }
}

TEST(CommandTable, HelpShowsIndexedOptionsOnce) {
  const std::string text = full_help(*find_command("create"));
  EXPECT_NE(text.find("--net[n] "), std::string::npos);
  EXPECT_EQ(text.find("--net0"), std::string::npos);
  EXPECT_NE(text.find("--memory "), std::string::npos);
  EXPECT_NE(text.find("--password "), std::string::npos);
}

}  // namespace
}  // namespace hutch::cli
