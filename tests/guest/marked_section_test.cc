#include "guest/marked_section.h"

#include <gtest/gtest.h>

#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

constexpr auto kAppend = SectionPlace::append;
const std::string kOne = "# --- BEGIN PVE ---\none\n# --- END PVE ---\n";

TEST(MarkedSection, MissingFile) {
  EXPECT_EQ(kOne, with_section(std::nullopt, "one\n", kAppend));
  EXPECT_EQ(kOne, with_section(std::nullopt, "one", kAppend));
  EXPECT_EQ(std::nullopt, with_section(std::nullopt, "", kAppend));
}

TEST(MarkedSection, PlacesANewSection) {
  EXPECT_EQ("old\n" + kOne, with_section("old\n", "one", kAppend));
  EXPECT_EQ("old\n" + kOne, with_section("old", "one", kAppend));
  EXPECT_EQ(kOne + "old", with_section("old", "one", SectionPlace::prepend));
  EXPECT_EQ(kOne, with_section("old\n", "one", SectionPlace::replace));
  EXPECT_EQ("old", with_section("old", "", SectionPlace::replace));
  EXPECT_EQ(kOne, with_section("", "one", kAppend));
}

TEST(MarkedSection, ReplacesInPlaceWhateverTheMode) {
  for (const auto place : {kAppend, SectionPlace::prepend, SectionPlace::replace}) {
    EXPECT_EQ("a\n" + kOne + "b\n",
              with_section("a\n# --- BEGIN PVE ---\nx\ny\n# --- END PVE ---\nb\n", "one\n", place));
  }
}

TEST(MarkedSection, RecognisesBlanksAndEndInAnyCase) {
  EXPECT_EQ(kOne, with_section("#---   BEGIN\tPVE---\nx\n# --- end pve ---", "one", kAppend));
  EXPECT_TRUE(is_section_begin("# --- BEGIN PVE ---"));
  EXPECT_FALSE(is_section_begin("# --- begin PVE ---"));
  EXPECT_FALSE(is_section_begin("# --- BEGIN PVE --- x"));
}

TEST(MarkedSection, FirstBeginAndFirstEndCount) {
  EXPECT_EQ("# --- END PVE ---\n" + kOne + "# --- END PVE ---\n",
            with_section("# --- END PVE ---\n# --- BEGIN PVE ---\n# --- BEGIN PVE ---\n# --- END PVE ---\n"
                         "# --- END PVE ---\n",
                         "one", kAppend));
  EXPECT_EQ("# --- BEGIN PVE ---\nx\n" + kOne, with_section("# --- BEGIN PVE ---\nx\n", "one", kAppend));
}

TEST(MarkedSection, EmptyText) {
  EXPECT_EQ(kOne, with_section(kOne, "", kAppend));
  EXPECT_EQ(std::nullopt, with_section(kOne, "", kAppend, true));
  const auto emptied = with_section("a\n" + kOne, "", kAppend, true);
  EXPECT_EQ("a\n# --- BEGIN PVE ---\n# --- END PVE ---\n", emptied);
  EXPECT_EQ(emptied, with_section(*emptied, "", kAppend, true));  // no blank line each time
}

TEST(MarkedSection, Outside) {
  EXPECT_EQ("a\nb\n", outside_section("a\n" + kOne + "b\n"));
  EXPECT_EQ("a\n", outside_section("a\n"));
}

TEST(MarkedSection, OnFiles) {
  const TemporaryRootfs rootfs;
  write_section(rootfs.root(), "/etc/x", "", kAppend);
  EXPECT_FALSE(rootfs.exists("/etc/x"));
  write_section(rootfs.root(), "/etc/x", "one", kAppend, false, 0600);
  EXPECT_EQ(kOne, rootfs.get("/etc/x"));
  EXPECT_EQ(0600U, rootfs.mode("/etc/x"));
  write_section(rootfs.root(), "/etc/x", "", kAppend, true);
  EXPECT_FALSE(rootfs.exists("/etc/x"));
}

}  // namespace
}  // namespace hutch::guest
