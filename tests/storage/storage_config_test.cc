#include "storage/storage_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/storage/scratch.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const Sysroot kSysroot("/sys-root");

StorageConfig parse(std::string_view text, std::vector<std::string>* warnings = nullptr) {
  return StorageConfig::parse(text, "storage.cfg", kSysroot, [=](const std::string& warning) {
    if (warnings != nullptr) warnings->push_back(warning);
  });
}

constexpr std::string_view kText =
    "# my disks\n"
    "dir: local\n"
    "\tpath /var/lib/vz\n"
    "\tcontent vztmpl,iso,rootdir\n"
    "\n"
    "dir: tank\n"
    "  path /tank/vz/\n"
    "  future-key some value\n"
    "  shared\n"
    "  content-dirs images=disks,backup=save/all\n"
    "\n"
    "zfspool: pool\n"
    "\tpool rpool/data\n"
    "\tsparse\n"
    "\n"
    "marvel: new\n"
    "\tanything goes\n"
    "\n";

TEST(StorageConfig, LocalAlwaysExists) {
  const auto settings = parse("").dir("local");
  EXPECT_EQ(settings.path, "/sys-root/var/lib/vz");
  EXPECT_THAT(settings.content, ElementsAre("backup", "images", "iso", "rootdir", "snippets", "vztmpl"));
  EXPECT_EQ(Sysroot().path("x"), "/x");
  EXPECT_EQ(StorageConfig::parse("", "s", Sysroot()).dir("local").path, "/var/lib/vz");
}

TEST(StorageConfig, LocalWithAnotherPathIsReplacedByDefaults) {
  std::vector<std::string> warnings;
  const auto config = parse("dir: local\n\tpath /elsewhere\n\tcontent iso\n", &warnings);
  EXPECT_EQ(config.dir("local").path, "/sys-root/var/lib/vz");
  EXPECT_TRUE(config.dir("local").supports("rootdir"));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("storage.cfg:1")));
}

TEST(StorageConfig, ReadsSettings) {
  const auto config = parse(kText);
  const auto tank = config.dir("tank");
  EXPECT_EQ(tank.path, "/tank/vz");
  EXPECT_THAT(tank.content, ElementsAre("images", "rootdir"));
  EXPECT_EQ(tank.dirs.at("images"), "disks");
  EXPECT_EQ(tank.dirs.at("backup"), "save/all");
  EXPECT_EQ(tank.dirs.at("vztmpl"), "template/cache");
  EXPECT_EQ(tank.origin.line, 6);
  EXPECT_THAT(config.enabled_dirs(), ElementsAre("local", "tank"));
}

TEST(StorageConfig, WarnsAboutWhatItSkips) {
  std::vector<std::string> warnings;
  parse(kText, &warnings);
  EXPECT_THAT(warnings, ElementsAre("storage.cfg:8: storage 'tank': unknown key 'future-key' is ignored",
                                    "storage.cfg:16: storage 'new' is ignored: unknown type 'marvel'"));
  warnings.clear();
  const auto config =
      parse("dir: aa\n\tpath relative\n\tdisable maybe\n junk\n\nnonsense\n\tlost\n", &warnings);
  EXPECT_EQ(warnings.size(), 5U);
  EXPECT_THAT(error_of([&] { config.dir("aa"); }), HasSubstr("no valid 'path'"));
}

TEST(StorageConfig, ContentTypes) {
  const auto config = parse(kText);
  EXPECT_EQ(config.dir_for("local", "rootdir").id, "local");
  EXPECT_THAT(error_of([&] { config.dir_for("tank", "vztmpl"); }),
              StartsWith("storage 'tank' does not support content 'vztmpl'"));
}

TEST(StorageConfig, UnusableStoragesAreErrors) {
  const auto config =
      parse(std::string(kText) + "dir: off\n\tdisable\n\tpath /x\n\ndir: far\n\tpath /y\n\tnodes nowhere\n");
  EXPECT_THAT(error_of([&] { config.dir("nothing"); }),
              HasSubstr("storage 'nothing' does not exist; known storages: local, tank, pool"));
  EXPECT_THAT(error_of([&] { config.dir("pool"); }),
              StartsWith("storage 'pool' has type 'zfspool' [storage.cfg:12]"));
  EXPECT_THAT(error_of([&] { config.dir("off"); }), StartsWith("storage 'off' is disabled [storage.cfg:19]"));
  EXPECT_THAT(error_of([&] { config.dir("far"); }), HasSubstr("not available on node"));
  EXPECT_THAT(config.enabled_dirs(), ElementsAre("local", "tank"));
}

TEST(StorageConfig, PathsMayNotClimb) {
  EXPECT_THROW(parse("dir: aa\n\tpath /a/../etc\n").dir("aa"), Error);
  EXPECT_EQ(parse("dir: aa\n\tpath /a\n\tcontent-dirs images=../../etc\n").dir("aa").dirs.at("images"),
            "images");
}

TEST(StorageConfig, RewritingLosesNothing) {
  const std::string text =
      parse(std::string(kText) + "dir: off\n\tpath /x\n\tcontent none\n\tdisable\n# the end").text();
  EXPECT_EQ(
      text,
      "# my disks\n"
      "dir: local\n\tpath /var/lib/vz\n\tcontent vztmpl,iso,rootdir\n\n"
      "dir: tank\n\tpath /tank/vz/\n\tcontent-dirs images=disks,backup=save/all\n\tfuture-key some value\n"
      "\tshared\n\n"
      "zfspool: pool\n\tpool rpool/data\n\tsparse\n\n"
      "marvel: new\n\tanything goes\n\n"
      "# the end\n"
      "dir: off\n\tdisable\n\tpath /x\n\tcontent none\n\n");
  EXPECT_EQ(parse(text).text(), text);
}

TEST(StorageConfig, SavesAndLoads) {
  const Scratch scratch;
  const Sysroot sysroot(scratch.path());
  EXPECT_THAT(StorageConfig::load(sysroot).sections(), ::testing::SizeIs(1));
  StorageConfig::parse(kText, "x", sysroot).save(sysroot);
  EXPECT_EQ(StorageConfig::load(sysroot).dir("tank").path, "/tank/vz");
  EXPECT_EQ(StorageConfig::load(sysroot).dir("local").path, scratch / "var/lib/vz");
}

}  // namespace
}  // namespace hutch
