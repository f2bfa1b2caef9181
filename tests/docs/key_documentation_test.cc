#include "config/key_documentation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "config/lower.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/property_string.h"
#include "config/raw_keys.h"

namespace hutch::config {
namespace {

using ::testing::IsEmpty;
using Names = std::set<std::string>;

// "lxc.net.[n].type" and "lxc.cgroup2.devices.allow" are members of families, which have one row in raw_keys.
bool is_member(std::string_view name) {
  return std::any_of(raw_key_prefixes().begin(), raw_key_prefixes().end(), [name](const RawKey& family) {
    return name.starts_with(family.name) && !name.ends_with(".*");
  });
}

Names names_of_raw_keys() {
  Names names;
  for (const auto& key : raw_keys()) {
    if (key.key_class != RawKeyClass::renamed) names.emplace(key.name);
  }
  for (const auto& family : raw_key_prefixes()) {
    if (family.key_class != RawKeyClass::renamed) names.insert(std::string(family.name) + "*");
  }
  return names;
}

TEST(KeyDocumentation, HasExactlyTheKeysOfTheTable) {
  const Names known = names_of_raw_keys();
  Names documented;
  for (const auto& row : key_documentation()) {
    const bool in_table = known.contains(std::string(row.name));
    EXPECT_TRUE(in_table || is_member(row.name)) << row.name;
    if (in_table) documented.emplace(row.name);
  }
  EXPECT_EQ(documented, known);
}

TEST(KeyDocumentation, EveryRowIsASentenceAndHasAValue) {
  for (const auto& row : key_documentation()) {
    EXPECT_TRUE(row.meaning.ends_with('.')) << row.name;
    EXPECT_FALSE(row.value.empty()) << row.name;
    EXPECT_FALSE(row.effect.empty()) << row.name;
    EXPECT_EQ(row.kind == KeyDocumentation::Kind::clears, row.value == "empty") << row.name;
  }
}

TEST(KeyDocumentation, OldNamesLeadToKeysThatHaveARow) {
  for (const auto& key : raw_keys()) {
    if (key.key_class != RawKeyClass::renamed) continue;
    EXPECT_TRUE(names_of_raw_keys().contains(std::string(key.current))) << key.name;
  }
}

TEST(SubKeyDocumentation, HasExactlyTheKeysOfThePropertyStrings) {
  for (const std::string_view option : {"dev", "features", "mp", "net", "unused"}) {
    Names known;
    for (const auto& key : property_format(option)->keys) known.emplace(key.name);
    Names documented;
    for (const auto& row : sub_key_documentation()) {
      if (row.option != option) continue;
      EXPECT_TRUE(documented.emplace(row.name).second) << option << " " << row.name;
      EXPECT_TRUE(row.meaning.ends_with('.')) << option << " " << row.name;
    }
    EXPECT_EQ(documented, known) << option;
  }
}

TEST(SubKeyDocumentation, CoversTheRootfsByTheRowsOfMountPoints) {
  for (const auto& key : property_format("rootfs")->keys) {
    const auto row = std::find_if(sub_key_documentation().begin(), sub_key_documentation().end(),
                                  [&key](const SubKeyDocumentation& candidate) {
                                    return candidate.option == "mp" && candidate.name == key.name;
                                  });
    EXPECT_NE(row, sub_key_documentation().end()) << key.name;
  }
}

TEST(PropertyFormats, AreThoseOfOptions) {
  for (const std::string_view option : {"dev", "features", "mp", "net", "rootfs", "unused"}) {
    EXPECT_NE(property_format(option), nullptr) << option;
    const bool is_option = std::any_of(options().begin(), options().end(),
                                       [option](const Option& row) { return row.name == option; });
    EXPECT_TRUE(is_option) << option;
  }
  EXPECT_EQ(property_format("startup"), nullptr);
  EXPECT_EQ(property_format("memory"), nullptr);
}

TEST(RawKeySupport, KeysWithoutARowOfTheirOwnAreRefused) {
  EXPECT_EQ(raw_key_support("lxc.no-such-key"), RawKeySupport::refused);
  EXPECT_EQ(raw_key_support("lxc.idmap"), RawKeySupport::honoured);
  EXPECT_EQ(raw_key_support("lxc.cgroup2.pids.max"), RawKeySupport::honoured);
}

}  // namespace
}  // namespace hutch::config
