#include "runtime/apparmor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

AppArmorInput container(bool unprivileged, bool nesting, bool stacking = false) {
  AppArmorInput input;
  input.container = "101";
  input.unprivileged = unprivileged;
  input.allow_nesting = nesting;
  input.features = {
      .mount_mediation = true, .stacking = stacking, .unix_sockets = true, .policy_abi_4 = false};
  return input;
}

// The body's lines that hold `text`.
std::vector<std::string> lines_with(const std::string& profile, const std::string& text) {
  std::vector<std::string> found;
  for (const auto line : split(profile, '\n')) {
    if (line.find(text) != std::string_view::npos) found.emplace_back(trim(line));
  }
  return found;
}

// An AppArmor pattern (apparmor.d(5), "Globbing") as a regular expression.
std::regex as_regex(const std::string& pattern) {
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '*' && pattern.substr(i, 2) == "**") {
      out += ".*";
      ++i;
    } else if (c == '*') {
      out += "[^/]*";
    } else if (c == '{' || c == '}') {
      out += c == '{' ? "(?:" : ")";
      depth += c == '{' ? 1 : -1;
    } else if (c == ',' && depth > 0) {
      out += '|';
    } else if (c == '[') {
      const auto end = pattern.find(']', i);
      out += pattern.substr(i, end - i + 1);
      i = end;
    } else {
      out += c == '.' ? "\\." : std::string(1, c);
    }
  }
  return std::regex(out);
}

// Whether one of the profile's rules that start with `prefix` has a pattern that matches the path.
bool matched(const std::string& profile, const std::string& prefix, const std::string& path) {
  for (const auto& line : lines_with(profile, prefix)) {
    if (!line.starts_with(prefix)) continue;
    const std::string rest = line.substr(prefix.size());
    const std::string pattern =
        rest.substr(0, rest.find_last_of(rest.find(' ') == std::string::npos ? "," : " "));
    if (std::regex_match(path, as_regex(pattern))) return true;
  }
  return false;
}

bool write_denied(const std::string& profile, const std::string& path) {
  return matched(profile, "deny ", path);
}
bool bind_allowed(const std::string& profile, const std::string& source) {
  return matched(profile, "mount options=(rw, bind) ", source);
}

class Directory {
 public:
  Directory() {
    char pattern[] = "/tmp/hutch-apparmor-XXXXXX";
    if (::mkdtemp(pattern) != nullptr) path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  // Makes a file and the directories above it.
  void file(const std::string& name, const std::string& content) const {
    make_directories(std::filesystem::path(path_ + "/" + name).parent_path());
    replace_file(AT_FDCWD, path_ + "/" + name, content, 0600);
  }

 private:
  std::string path_;
};

// Compares with tests/golden/apparmor/<name>.profile; HUTCH_UPDATE_GOLDEN=1 writes it anew.
void expect_golden(const AppArmorInput& input, const std::string& name) {
  const auto tests = std::filesystem::path(__FILE__).parent_path().parent_path();
  const std::string path = tests / "golden" / "apparmor" / (name + ".profile");
  const std::string profile = generated_profile(input);
  if (std::getenv("HUTCH_UPDATE_GOLDEN") != nullptr) replace_file(AT_FDCWD, path, profile, 0644);
  EXPECT_EQ(profile, read_file(AT_FDCWD, path)) << name;
}

TEST(AppArmorNames, FollowTheContainer) {
  EXPECT_EQ(apparmor_profile_name(container(true, false)), "lxc-101_</var/lib/lxc>");
  EXPECT_EQ(apparmor_namespace(container(true, false)), "lxc-101_<-var-lib-lxc>");
  EXPECT_EQ(apparmor_label(container(true, false)), "lxc-101_</var/lib/lxc>");
  EXPECT_EQ(apparmor_label(container(true, false, true)),
            "lxc-101_</var/lib/lxc>//&:lxc-101_<-var-lib-lxc>:");
  EXPECT_EQ(label_change_command("lxc-101_</var/lib/lxc>"), "changeprofile lxc-101_</var/lib/lxc>");
}

TEST(AppArmorNames, LongOnesBecomeAHash) {
  AppArmorInput input = container(true, false);
  input.lxc_path = "/" + std::string(236, 'x');
  EXPECT_EQ(apparmor_profile_name(input).size(), 20U);
  EXPECT_TRUE(apparmor_profile_name(input).starts_with("lxc-"));
  input.lxc_path.pop_back();
  EXPECT_EQ(apparmor_profile_name(input).size(), 246U);
}

TEST(AppArmorNames, UnusableOnesThrow) {
  for (const char* path : {"/a b", "/a\"b", "/a*", "/a\nb", "/{a}", "/a:b"}) {
    AppArmorInput input = container(true, false);
    input.lxc_path = path;
    EXPECT_THROW(generated_profile(input), Error) << path;
  }
}

TEST(AppArmorProfile, Golden) {
  expect_golden(container(true, false), "unprivileged");
  expect_golden(container(true, true), "unprivileged_nesting");
  expect_golden(container(false, false), "privileged");
}

TEST(AppArmorProfile, BindSourcesAreOutsideOfTheKernelsTrees) {
  const std::string profile = generated_profile(container(false, false));
  for (const char* path :
       {"/home", "/home/", "/home/a/b", "/d", "/de/x", "/dev2", "/devices/", "/proc2/x", "/p/proc",
        "/sysroot/sys", "/s/", "/srv/proc/1", "/dev/.foo", "/dev/.lx/a", "/dev/.lxc2"}) {
    EXPECT_TRUE(bind_allowed(profile, path)) << path;
  }
  for (const char* path : {"/", "/proc", "/proc/", "/proc/1/root", "/sys/", "/sys/kernel", "/dev/",
                           "/dev/sda", "/dev/.lxc/", "/dev/.lxc/proc/"}) {
    EXPECT_FALSE(bind_allowed(profile, path)) << path;
  }
}

TEST(AppArmorProfile, WritesWithoutNesting) {
  const std::string profile = generated_profile(container(true, false));
  for (const char* path :
       {"/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/sys/kernel/shmmax",
        "/proc/sys/kernel/sem", "/proc/sys/kernel/msgmnb", "/proc/sys/net/ipv4/ip_forward",
        "/sys/fs/cgroup/a/cgroup.procs", "/sys/class/net/eth0/mtu", "/sys/devices/virtual/net/eth0/mtu",
        "/etc/passwd", "/proc/self/oom_score_adj"}) {
    EXPECT_FALSE(write_denied(profile, path)) << path;
  }
  for (const char* path :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname2", "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/swappiness", "/proc/sys/fs/suid_dumpable", "/proc/bus/pci/00", "/proc/kcore",
        "/proc/sysrq-trigger", "/proc/acpi/x", "/sys/power/state", "/sys/fs/btrfs/x",
        "/sys/devices/system/cpu/x", "/sys/devices/virtual/block/x", "/sys/class/leds/x",
        "/sys/firmware/efi/efivars/x", "/sys/kernel/uevent_helper", "/sys/kernel/debug/x",
        "/sys/kernel/security/x", "/sys/module/x"}) {
    EXPECT_TRUE(write_denied(profile, path)) << path;
  }
}

TEST(AppArmorProfile, WritesWithNesting) {
  const std::string profile = generated_profile(container(true, true));
  for (const char* path :
       {"/proc/sys/vm/swappiness", "/sys/power/state", "/proc/sys/fs/binfmt_misc/register"}) {
    EXPECT_FALSE(write_denied(profile, path)) << path;
  }
  for (const char* path : {"/proc/sys/fs/suid_dumpable", "/proc/kcore", "/sys/kernel/security/x",
                           "/dev/.lxc/proc/1/mem", "/dev/.lxc/sys/x"}) {
    EXPECT_TRUE(write_denied(profile, path)) << path;
  }
  EXPECT_EQ(lines_with(profile, "change_profile"),
            std::vector<std::string>{"change_profile -> \"lxc-101_</var/lib/lxc>\","});
  EXPECT_EQ(lines_with(profile, "  mount,").size(), 1U);
}

// Debian 12 and 13 boot to `running` with these (tests/kernel/job_test.sh, where AppArmor is enforced).
TEST(AppArmorProfile, SystemdSetsUpItsUnitsWhereTheUserNamespaceLimitsIt) {
  const std::vector<std::string> rules = {
      "mount fstype=ramfs,", "mount options=(rw, move),",
      "mount fstype=proc -> /run/systemd/{unit-root,mount-rootfs}/proc/,"};
  AppArmorInput input = container(true, false);
  for (const auto& rule : rules) EXPECT_THAT(lines_with(generated_profile(input), rule), ElementsAre(rule));
  // Only a parser that knows nosymfollow can keep the options of that place closed.
  EXPECT_EQ(lines_with(generated_profile(input), "mount -> /dev/shm/,").size(), 1U);
  input.features.policy_abi_4 = true;
  EXPECT_EQ(lines_with(generated_profile(input), "mount -> /dev/shm/,").size(), 0U);
  const std::string privileged = generated_profile(container(false, false));
  for (const auto& rule : rules) EXPECT_THAT(lines_with(privileged, rule), IsEmpty());
  EXPECT_THAT(privileged, Not(HasSubstr("mount -> /dev/shm/,")));
}

TEST(AppArmorProfile, PrivilegedMayNotRegisterInterpreters) {
  EXPECT_TRUE(write_denied(generated_profile(container(false, true)), "/proc/sys/fs/binfmt_misc/register"));
}

TEST(AppArmorProfile, StackingOpensTheOwnNamespace) {
  const std::string profile = generated_profile(container(true, false, true));
  EXPECT_EQ(lines_with(profile, "change_profile").size(), 2U);
  EXPECT_FALSE(write_denied(profile, "/sys/kernel/security/apparmor/.load"));
  EXPECT_TRUE(write_denied(profile, "/sys/kernel/security/tpm0/x"));
  EXPECT_TRUE(write_denied(profile, "/sys/kernel/uevent_helper"));
  EXPECT_THAT(profile, Not(HasSubstr("/sys/k*")));
}

TEST(AppArmorProfile, OptionalParts) {
  AppArmorInput input = container(true, false);
  EXPECT_EQ(lines_with(generated_profile(input), "remount, bind").size(), 24U);
  EXPECT_EQ(lines_with(generated_profile(input), "cgroup2").size(), 1U);
  EXPECT_EQ(lines_with(generated_profile(input), "unix ").size(), 2U);
  input.cgroup_namespace = false;
  input.features = {.policy_abi_4 = true};
  EXPECT_EQ(lines_with(generated_profile(input), "remount, bind").size(), 48U);
  EXPECT_EQ(lines_with(generated_profile(input), "cgroup2").size(), 0U);
  EXPECT_EQ(lines_with(generated_profile(input), "unix ").size(), 0U);
}

TEST(AppArmorProfile, RawRulesAreVerbatimAndLast) {
  AppArmorInput input = container(true, false);
  input.raw_rules = {{"deny mount -> /proc/,", {}}, {"allow mqueue,", {}}, {"allow userns,", {}}};
  const std::string old_parser = generated_profile(input);
  EXPECT_TRUE(
      old_parser.ends_with("  deny mount -> /proc/,\n  # Not mediated by this parser: allow mqueue,\n"
                           "  # Not mediated by this parser: allow userns,\n}\n"));
  input.features.policy_abi_4 = true;
  EXPECT_TRUE(
      generated_profile(input).ends_with("  deny mount -> /proc/,\n  allow mqueue,\n  allow userns,\n}\n"));
}

TEST(AppArmorProfile, RawRuleWithALineBreakThrows) {
  AppArmorInput input = container(true, false);
  input.raw_rules = {{"deny /a w,\n}\nprofile b {", {"100.conf", 3}}};
  try {
    generated_profile(input);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin().text(), "100.conf:3");
  }
}

TEST(AppArmorParser, TakesEveryVariant) {
  const Directory directory;
  const auto parser = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "apparmor_parser");
    return run_program(arguments);
  };
  try {
    parser({"--version"});
  } catch (const Error& error) {
    GTEST_SKIP() << "probe: apparmor_parser is not installed: " << error.what();
  }
  // Without these the parser leaves out what the running kernel does not mediate, and checks less.
  const std::string features = "/etc/apparmor.d/abi/3.0";
  if (!path_exists(AT_FDCWD, features)) GTEST_SKIP() << "probe: no policy ABI in " << features;
  for (unsigned variant = 0; variant < 32; ++variant) {
    AppArmorInput input = container((variant & 1U) != 0, (variant & 2U) != 0, (variant & 4U) != 0);
    input.features.unix_sockets = (variant & 8U) != 0;
    input.cgroup_namespace = (variant & 16U) != 0;
    input.features.policy_abi_4 = path_exists(AT_FDCWD, "/etc/apparmor.d/abi/4.0");
    input.raw_rules = {{"allow mqueue,", {}},
                       {"allow userns,", {}},
                       {"deny mount -> /proc/,", {}},
                       {"mount fstype=nfs,", {}}};
    directory.file("profile", generated_profile(input));
    const ProgramResult result =
        parser({"-Q", "-K", "--kernel-features=" + features, directory.path() + "/profile"});
    EXPECT_TRUE(result.succeeded()) << "variant " << variant << ": " << result.err;
  }
}

TEST(AppArmorLoad, SourceIsWrittenOnlyWhenItChanged) {
  if (apparmor_enabled()) GTEST_SKIP() << "probe: AppArmor is enabled here, the test must not load profiles";
  const Directory directory;
  const std::string source = directory.path() + "/lxc-101_<-var-lib-lxc>";
  const auto load = [&](const std::string& text) {
    struct stat status {};
    EXPECT_THROW(load_profile(text, "lxc-101_</var/lib/lxc>", directory.path()), Error);
    EXPECT_EQ(::stat(source.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    return status.st_ino;
  };
  const auto first = load("profile \"a\" { file, }\n");
  EXPECT_EQ(load("profile \"a\" { file, }\n"), first);
  EXPECT_EQ(read_file(AT_FDCWD, source), "profile \"a\" { file, }\n");
  load("profile \"a\" { network, }\n");
  EXPECT_EQ(read_file(AT_FDCWD, source), "profile \"a\" { network, }\n");
}

TEST(AppArmorKernel, EnabledNeedsItsInterface) {
  const Directory sys;
  EXPECT_FALSE(apparmor_enabled(sys.path()));
  sys.file("module/apparmor/parameters/enabled", "N\n");
  EXPECT_FALSE(apparmor_enabled(sys.path()));
  sys.file("module/apparmor/parameters/enabled", "Y\n");
  EXPECT_THROW(apparmor_enabled(sys.path()), Error);
  sys.file("kernel/security/apparmor/features/domain/version", "1.2\n");
  EXPECT_TRUE(apparmor_enabled(sys.path()));
}

TEST(AppArmorKernel, Features) {
  const Directory sys;
  const auto features = [&] { return apparmor_features(sys.path(), sys.path() + "/etc"); };
  const std::string apparmor = "kernel/security/apparmor/";
  EXPECT_EQ(features(), AppArmorFeatures{});
  sys.file(apparmor + "features/mount/mask", "mount umount pivot_root\n");
  sys.file(apparmor + "features/domain/stack", "yes\n");
  sys.file(apparmor + "features/domain/version", "1.1\n");
  sys.file(apparmor + "features/network_v8/af_unix", "yes\n");
  EXPECT_EQ(features(), (AppArmorFeatures{true, false, true, false}));
  sys.file(apparmor + "features/domain/version", "1.2\n");
  sys.file("etc/abi/4.0", "");
  EXPECT_EQ(features(), (AppArmorFeatures{true, true, true, true}));
  sys.file(apparmor + ".ns_stacked", "yes\n");
  EXPECT_FALSE(features().stacking);
  sys.file(apparmor + ".ns_stacked", "no\n");
  EXPECT_TRUE(features().stacking);
}

TEST(AppArmorKernel, Unload) {
  const Directory sys;
  EXPECT_THROW(unload_profile("a", sys.path()), Error);
  sys.file("kernel/security/apparmor/.remove", "");
  unload_profile("lxc-101_</var/lib/lxc>", sys.path());
  EXPECT_EQ(read_file(AT_FDCWD, sys.path() + "/kernel/security/apparmor/.remove"), "lxc-101_</var/lib/lxc>");
}

}  // namespace
}  // namespace hutch
