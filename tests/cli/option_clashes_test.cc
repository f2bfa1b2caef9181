#include "cli/option_clashes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/base/error_of.h"

namespace hutch::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

config::Section section(std::string_view text) {
  config::Diagnostics ignored;
  return config::read_config(text, "100.conf", 100, ignored).main;
}

// The warnings about `given` in a container that has `before`, too.
std::vector<std::string> told(std::string_view before, std::string_view given) {
  const config::Section asked = section(given);
  config::Section whole = section(before);
  for (const auto& key : asked.keys()) whole.set(key, *asked.get(key));
  std::vector<std::string> warnings;
  check_clashes(whole, asked, [&warnings](const std::string& text) { warnings.push_back(text); });
  return warnings;
}

TEST(OptionClashes, AddressesOfTwoLinksAreTold) {
  constexpr std::string_view kBefore =
      "net0: name=eth0,hwaddr=02:00:00:00:00:0A,ip=10.0.0.5/24,ip6=fd00::5/64\n";
  EXPECT_THAT(told(kBefore, "net1: name=eth1,hwaddr=02:00:00:00:00:0a\n"),
              ElementsAre("--net1: MAC address 02:00:00:00:00:0a is that of net0, too"));
  EXPECT_THAT(told(kBefore, "net1: name=eth1,ip=10.0.0.5/16,ip6=fd00::5/64\n"),
              ElementsAre("--net1: address 10.0.0.5 is that of net0, too",
                          "--net1: address fd00::5 is that of net0, too"));
  EXPECT_THAT(told("net0: name=eth0,ip=dhcp\n", "net1: name=eth1,ip=dhcp\n"), IsEmpty());
  EXPECT_THAT(told("", "net0: name=a,ip=10.0.0.5/24\nnet1: name=b,ip=10.0.0.5/24\n"),
              ElementsAre("--net1: address 10.0.0.5 is that of net0, too"));
}

TEST(OptionClashes, MountPathsAreTold) {
  EXPECT_THAT(told("mp3: /srv,mp=/a\n", "mp0: /opt,mp=//a/\n"),
              ElementsAre("--mp0: mp3 is mounted on '//a/', too; one hides the other"));
  EXPECT_THAT(told("mp3: /srv,mp=/a\n", "mp0: /srv,mp=/a/b\n"), IsEmpty());
}

TEST(OptionClashes, OfTwoThatWereThereNothingIsSaid) {
  EXPECT_THAT(told("net0: name=eth0\nnet5: name=eth0\nmp0: /srv,mp=/a\nmp1: nonsense\n",
                   "net1: name=eth1\nmp2: /srv,mp=/b\n"),
              IsEmpty());
}

TEST(OptionClashes, AnImageIsMountedOnceUnlessNobodyWrites) {
  constexpr std::string_view kBefore = "mp0: local:100/vm-100-disk-1.raw,mp=/a,ro=1\n";
  EXPECT_THAT(error_of([&] { told(kBefore, "mp1: local:100/vm-100-disk-1.raw,mp=/b\n"); }),
              HasSubstr("volume 'local:100/vm-100-disk-1.raw' is that of mp0 already"));
  EXPECT_THAT(told(kBefore, "mp1: local:100/vm-100-disk-1.raw,mp=/b,ro=1\n"), IsEmpty());
  // New volumes of one size, and directories.
  EXPECT_THAT(told("mp0: local:8,mp=/a\n", "mp1: local:8,mp=/b\n"), IsEmpty());
  EXPECT_THAT(told("mp0: local:100/subvol-100-disk-1.subvol,mp=/a\n",
                   "mp1: local:100/subvol-100-disk-1.subvol,mp=/b\n"),
              IsEmpty());
}

TEST(OptionClashes, NothingIsMountedOverTheRootfs) {
  for (const char* path : {"/", "//", "/./"}) EXPECT_THROW(check_mount_path(path), Error) << path;
  EXPECT_NO_THROW(check_mount_path("/srv"));
}

}  // namespace
}  // namespace hutch::cli
