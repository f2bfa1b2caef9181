#include "docs/generator/options_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace hutch::docs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const DocumentedKey& key_named(const OptionTables& tables, std::string_view name) {
  for (const auto* table : {&tables.options, &tables.raw_keys, &tables.old_names}) {
    const auto found =
        std::find_if(table->begin(), table->end(), [name](const auto& key) { return key.name == name; });
    if (found != table->end()) return *found;
  }
  throw Error("no key " + std::string(name));
}

TEST(TestIndex, SplitsAFileIntoItsTests) {
  const auto tests = tests_in("config",
                              "const char* text = \"memory: 1\";\n\nTEST(First, Works) {\n  one();\n}\n\n"
                              "void helper() {\n  other();\n}\n\nTEST_P(Second, WorksToo) {\n  two();\n}\n");
  ASSERT_EQ(tests.size(), 2U);
  EXPECT_EQ(tests[0].name, "First.Works");
  EXPECT_EQ(tests[0].body, "TEST(First, Works) {\n  one();\n}\n");
  EXPECT_EQ(tests[1].name, "Second.WorksToo");
  EXPECT_EQ(tests[1].folder, "config");
}

TEST(TestIndex, KnowsTheTestsOfThisProjectButNotThese) {
  const auto tests = find_tests("tests");
  const auto has = [&tests](std::string_view folder, std::string_view name) {
    return std::any_of(tests.begin(), tests.end(),
                       [&](const auto& test) { return test.folder == folder && test.name == name; });
  };
  EXPECT_TRUE(has("golden", "101-quickstart.conf"));
  EXPECT_TRUE(has("kernel", "job_test.sh"));
  EXPECT_TRUE(has("config", "RawIdMap.ReplacesTheDefault"));
  for (const auto& test : tests) EXPECT_NE(test.folder, "docs") << test.name;
}

TEST(OptionTables, NameOneTestOfEachFolderTheMostSpecific) {
  const auto tables = document_keys({{"config", "Two.Keys", "memory: 1\nswap: 2\n"},
                                     {"config", "One.Key", "memory: 1\n"},
                                     {"golden", "100.conf", "memory: 1\n"},
                                     {"cgroupv2", "Group.Test", "\"memory\""}});
  EXPECT_THAT(key_named(tables, "memory").tests, ElementsAre("config: One.Key", "golden: 100.conf"));
  EXPECT_THAT(key_named(tables, "swap").tests, ElementsAre("config: Two.Keys"));
  EXPECT_THAT(untested_keys(tables), Contains("cores"));
  EXPECT_THAT(untested_keys(tables), Not(Contains("memory")));
}

TEST(OptionTables, CountAPropertyKeyOnlyTogetherWithItsOption) {
  const auto tables = document_keys({{"config", "Net.Test", "net0: name=eth0,mtu=9000"},
                                     {"config", "Other.Test", "bridge=vmbr0"},
                                     {"config", "Function.Test", "parse_net(\"tag=5\")"},
                                     {"config", "Volume.Test", "mp0: /a,mp=/b,ro=1"}});
  EXPECT_THAT(key_named(tables, "net[n] mtu").tests, ElementsAre("config: Net.Test"));
  EXPECT_THAT(key_named(tables, "net[n] tag").tests, ElementsAre("config: Function.Test"));
  EXPECT_THAT(key_named(tables, "net[n] bridge").tests, IsEmpty());
  EXPECT_THAT(key_named(tables, "mp[n] volume").tests, ElementsAre("config: Volume.Test"));
  EXPECT_THAT(key_named(tables, "rootfs ro").tests, IsEmpty());
}

TEST(OptionsPage, HasEveryKeyOnALineOfItsOwnWithSixCells) {
  const auto tables = document_keys({});
  const std::string page = options_page(tables);
  for (const auto* table : {&tables.options, &tables.raw_keys}) {
    for (const auto& key : *table) EXPECT_THAT(page, HasSubstr("\n| `" + key.name + "` | ")) << key.name;
  }
  for (const auto line : split(page, '\n')) {
    if (!line.starts_with("| `")) continue;
    std::size_t bars = 0;
    for (std::size_t at = 0; at < line.size(); ++at)
      bars += line[at] == '|' && (at == 0 || line[at - 1] != '\\');
    EXPECT_TRUE(bars == 7 || bars == 4) << line;
    if (bars == 7) {
      EXPECT_EQ(line.find('<'), std::string_view::npos) << line;
    }
  }
}

}  // namespace
}  // namespace hutch::docs
