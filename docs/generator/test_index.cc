#include "docs/generator/test_index.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"

namespace hutch::docs {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kLeftOut = {"corpus", "docs", "fuzz"};

bool is_left_out(const fs::path& path) {
  return std::any_of(path.begin(), path.end(), [](const fs::path& part) {
    return std::find(kLeftOut.begin(), kLeftOut.end(), part.string()) != kLeftOut.end();
  });
}

std::vector<fs::path> files_below(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && !is_left_out(entry.path().lexically_relative(directory)))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "TEST_F(Suite, Name) {" -> "Suite.Name"; empty for other lines.
std::string test_name(std::string_view line) {
  if (!line.starts_with("TEST")) return {};
  const auto open = line.find('(');
  const auto comma = line.find(',', open);
  const auto close = line.find(')', comma);
  if (close == std::string_view::npos) return {};
  const auto suite = trim(line.substr(open + 1, comma - open - 1));
  return std::string(suite) + "." + std::string(trim(line.substr(comma + 1, close - comma - 1)));
}

}  // namespace

std::vector<TestText> tests_in(const std::string& folder, std::string_view text) {
  std::vector<TestText> tests;
  bool inside = false;
  for (const auto line : split(text, '\n')) {
    if (auto name = test_name(line); !name.empty()) {
      tests.push_back({folder, std::move(name), {}});
      inside = true;
    }
    if (inside) (tests.back().body += line) += '\n';
    if (line.starts_with('}')) inside = false;
  }
  return tests;
}

std::vector<TestText> find_tests(const std::string& directory) {
  std::vector<TestText> tests;
  for (const auto& path : files_below(directory)) {
    const std::string name = path.filename().string();
    const std::string folder = path.parent_path().filename().string();
    const bool is_whole = name.ends_with("_test.sh") || (folder == "golden" && name.ends_with(".conf"));
    if (is_whole) tests.push_back({folder, name, read_file(AT_FDCWD, path.string())});
    if (!name.ends_with("_test.cc")) continue;
    for (auto& test : tests_in(folder, read_file(AT_FDCWD, path.string()))) tests.push_back(std::move(test));
  }
  return tests;
}

}  // namespace hutch::docs
