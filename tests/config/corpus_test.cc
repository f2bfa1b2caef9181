#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "config/options.h"
#include "config/raw_keys.h"
#include "tests/config/round_trip.h"

// Configs of all kinds: corpus/canonical holds those that are written exactly as they stand, corpus/free all
// others, most of them with mistakes. The fuzzers start from them, too.
namespace hutch::config {
namespace {

namespace fs = std::filesystem;

const char* const kDirectory = "tests/config/corpus";

std::vector<std::string> files_in(const std::string& kind) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(std::string(kDirectory) + "/" + kind))
    files.push_back(kind + "/" + entry.path().filename().string());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> all_files() {
  auto files = files_in("canonical");
  for (auto& file : files_in("free")) files.push_back(std::move(file));
  return files;
}

std::string text_of(const std::string& file) {
  return read_file(AT_FDCWD, std::string(kDirectory) + "/" + file);
}

ContainerConfig read(const std::string& file) {
  Diagnostics ignored;
  return read_config(text_of(file), file, 100, ignored);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = fs::path(info.param).replace_extension().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == '-'; }, '_');
  return name;
}

class Corpus : public ::testing::TestWithParam<std::string> {};

TEST_P(Corpus, IsReadAfterWritingAsItWas) {
  EXPECT_EQ(round_trip_complaint(text_of(GetParam())), "");
}

INSTANTIATE_TEST_SUITE_P(Configs, Corpus, ::testing::ValuesIn(all_files()), test_name);

class CanonicalCorpus : public ::testing::TestWithParam<std::string> {};

TEST_P(CanonicalCorpus, IsWrittenByteForByte) {
  EXPECT_EQ(write_config(read(GetParam())), text_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Configs, CanonicalCorpus, ::testing::ValuesIn(files_in("canonical")), test_name);

TEST(CorpusAsAWhole, HasAtLeastSixtyConfigs) {
  EXPECT_GE(all_files().size(), 60U);
}

std::vector<Section> sections() {
  std::vector<Section> sections;
  for (const auto& file : all_files()) {
    const auto config = read(file);
    sections.push_back(config.main);
    sections.push_back(config.pending);
    for (const auto& [name, section] : config.snapshots) sections.push_back(section);
  }
  return sections;
}

TEST(CorpusAsAWhole, HasEveryOption) {
  std::set<std::string_view> seen;
  for (const auto& section : sections()) {
    for (const auto& key : section.keys()) {
      if (const auto* option = find_option(key)) seen.insert(option->name);
    }
    if (!section.snapstate.empty()) seen.insert("snapstate");
  }
  for (const auto& option : options()) EXPECT_TRUE(seen.contains(option.name)) << option.name;
}

TEST(CorpusAsAWhole, HasEveryRawKeyAndAMemberOfEveryFamily) {
  std::set<std::string, std::less<>> seen = {"lxc.environment.runtime"};  // kept as `env`
  for (const auto& section : sections()) {
    for (const auto& entry : section.raw) seen.insert(entry.key);
  }
  for (const auto& key : raw_keys()) EXPECT_TRUE(seen.contains(key.name)) << key.name;
  for (const auto& family : raw_key_prefixes()) {
    const auto member = seen.lower_bound(family.name);
    EXPECT_TRUE(member != seen.end() && member->starts_with(family.name)) << family.name;
  }
}

}  // namespace
}  // namespace hutch::config
