#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/files.h"
#include "base/text.h"

namespace hutch {
namespace {

using Rooms = std::set<std::string>;

// What a room may include besides itself: the table of rooms in docs/architecture.md.
const std::map<std::string, Rooms>& arrows() {
  static const std::map<std::string, Rooms> table = {
      {"base", {}},
      {"netlink", {"base"}},
      {"cgroupv2", {"base"}},
      {"seccomp", {"base"}},
      {"storage", {"base"}},
      {"guest", {"base"}},
      {"config", {"base"}},
      {"runtime", {"base", "netlink", "cgroupv2", "seccomp"}},
      {"cli", {"base", "netlink", "cgroupv2", "seccomp", "storage", "guest", "config", "runtime"}},
  };
  return table;
}

// Single headers that a room may include beyond its row: the spec is where config and runtime meet.
const std::map<std::string, Rooms>& exceptions() {
  static const std::map<std::string, Rooms> table = {
      {"config", {"runtime/container_spec.h", "cgroupv2/resources.h"}},
  };
  return table;
}

// The path in `#include "path"`, with blanks wherever the preprocessor allows them.
std::optional<std::string> included_path(std::string_view line) {
  line = trim(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = trim(line.substr(1));
  if (!line.starts_with("include")) return std::nullopt;
  line = trim(line.substr(7));
  if (!line.starts_with('"')) return std::nullopt;
  const auto end = line.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(line.substr(1, end - 1));
}

// Why `room` may not include `path`; "" when it may.
std::string objection(const std::string& room, const std::string& path) {
  const auto slash = path.find('/');
  const std::string target = path.substr(0, slash);
  if (slash == std::string::npos || !arrows().contains(target)) return "is not named as \"room/header.h\"";
  if (target == room || arrows().at(room).contains(target)) return "";
  const auto extra = exceptions().find(room);
  if (extra != exceptions().end() && extra->second.contains(path)) return "";
  return room + " may not see " + target;
}

bool is_source(const std::filesystem::path& path) {
  const Rooms extensions = {".h", ".cc", ".c", ".hpp", ".cpp", ".inc"};
  return extensions.contains(path.extension().string());
}

TEST(Arrows, EveryIncludeStaysInsideTheTable) {
  ASSERT_TRUE(std::filesystem::exists("base/error.h")) << "run from the top of the source tree";
  int includes = 0;
  for (const auto& [room, visible] : arrows()) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(room)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      const std::string text = read_file(AT_FDCWD, entry.path().string());
      int number = 0;
      for (const auto line : split(text, '\n')) {
        ++number;
        const auto path = included_path(line);
        if (!path) continue;
        ++includes;
        EXPECT_EQ("", objection(room, *path)) << entry.path().string() << ":" << number << ": " << *path;
      }
    }
  }
  EXPECT_LT(50, includes);
}

TEST(Arrows, ObjectsToWhatTheTableForbids) {
  EXPECT_EQ("", objection("netlink", "netlink/link.h"));
  EXPECT_EQ("", objection("netlink", "base/error.h"));
  EXPECT_EQ("netlink may not see cgroupv2", objection("netlink", "cgroupv2/resources.h"));
  EXPECT_EQ("base may not see config", objection("base", "config/text.h"));
  EXPECT_EQ("", objection("config", "runtime/container_spec.h"));
  EXPECT_EQ("", objection("config", "cgroupv2/resources.h"));
  EXPECT_EQ("config may not see runtime", objection("config", "runtime/start_plan.h"));
  EXPECT_EQ("runtime may not see config", objection("runtime", "config/container_config.h"));
  EXPECT_NE("", objection("base", "error.h"));
  EXPECT_NE("", objection("base", "../config/text.h"));
  EXPECT_EQ("a/b.h", included_path("  #  include  \"a/b.h\"  // why"));
  EXPECT_EQ(std::nullopt, included_path("#include <vector>"));
  EXPECT_EQ(std::nullopt, included_path("// #include \"a/b.h\""));
}

}  // namespace
}  // namespace hutch
