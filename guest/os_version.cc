#include "guest/os_version.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "guest/os_release.h"

namespace hutch::guest {

namespace {

using OsRelease = std::map<std::string, std::string>;
using Codename = std::pair<std::string_view, int>;

[[noreturn]] void refuse(OsType type, std::string_view version, std::string_view accepted) {
  throw Error(formatted("unsupported {} release '{}' in the container", os_type_name(type), version), 0,
              formatted("accepted: {}; --ostype unmanaged leaves the container's files alone", accepted));
}

// Leading digits; nothing without any, or with more than nine.
std::optional<int> leading_number(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const auto number = digits <= 9 ? parse_unsigned(text.substr(0, digits)) : std::nullopt;
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

// "X", "X.Y" and what follows.
std::optional<OsVersion> leading_version(std::string_view text) {
  const auto major = leading_number(text);
  if (!major) return std::nullopt;
  OsVersion version{.major = *major};
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    version.minor = leading_number(text).value_or(0);
  }
  return version;
}

std::string release_line(const GuestRoot& root, OsType type, const std::string& path) {
  const auto content = root.read(path);
  if (!content) {
    throw Error(
        formatted("cannot tell the {} release: the container has no file '{}'", os_type_name(type), path));
  }
  return std::string(trim(content->substr(0, content->find('\n'))));
}

std::optional<int> codename(std::string_view name, const auto& names) {
  for (const auto& [known, version] : names) {
    if (known == name) return version;
  }
  return std::nullopt;
}

OsVersion debian_version(const GuestRoot& root, Report& report) {
  static constexpr std::array<Codename, 8> kTesting{{{"stretch/sid", 9},
                                                     {"buster/sid", 10},
                                                     {"bullseye/sid", 11},
                                                     {"bookworm/sid", 12},
                                                     {"trixie/sid", 13},
                                                     {"forky/sid", 14},
                                                     {"duke/sid", 15},
                                                     {"kali-rolling", 12}}};
  constexpr int kOldest = 4;
  constexpr int kNewestKnown = 14;
  const std::string line = release_line(root, OsType::debian, "/etc/debian_version");
  auto version = leading_version(line);
  if (const auto testing = codename(line, kTesting)) version = OsVersion{.major = *testing};
  if (!version || version->major < kOldest) refuse(OsType::debian, line, "4 and newer");
  if (version->major > kNewestKnown) {
    report.warn(formatted("Debian {} is newer than the releases this setup is known to fit (up to {})",
                          version->major, kNewestKnown));
  }
  return *version;
}

OsVersion devuan_version(const GuestRoot& root) {
  static constexpr std::array<Codename, 6> kNames{
      {{"jessie", 8}, {"ascii", 9}, {"beowulf", 10}, {"chimaera", 11}, {"daedalus", 12}, {"excalibur", 13}}};
  constexpr std::string_view kUnstable = "/ceres";
  const std::string line = release_line(root, OsType::devuan, "/etc/devuan_version");
  std::string name = to_lower(line);
  if (name.ends_with(kUnstable) && name != "jessie/ceres") name.resize(name.size() - kUnstable.size());
  const auto version = codename(name, kNames);
  if (!version) refuse(OsType::devuan, line, "jessie, ascii, beowulf, chimaera, daedalus, excalibur");
  return OsVersion{.major = *version};
}

OsVersion ubuntu_version(const GuestRoot& root, Report& report) {
  constexpr const char* kAccepted = "12.04, 14.04, 15.04 and newer";
  auto lsb = parse_os_release(root.read("/etc/lsb-release").value_or(""));
  if (lsb["DISTRIB_ID"] != "Ubuntu") {
    throw Error(
        "cannot tell the ubuntu release: the container's /etc/lsb-release is missing or has no "
        "DISTRIB_ID=Ubuntu");
  }
  const std::string& text = lsb["DISTRIB_RELEASE"];
  const auto version = leading_version(text);
  if (!version) refuse(OsType::ubuntu, text, kAccepted);
  const bool in_rhythm = version->minor == 4 || version->minor == 10;
  const bool known = (*version == OsVersion{12, 4}) || (*version == OsVersion{14, 4}) ||
                     (in_rhythm && version->major >= 15 && version->major <= 26);
  if (known) return *version;
  if (version->major < 17) refuse(OsType::ubuntu, text, kAccepted);
  report.warn(
      formatted("Ubuntu {} is not among the releases this setup is known to fit (up to 26.10)", text));
  return *version;
}

OsVersion centos_version(const GuestRoot& root) {
  constexpr std::string_view kWord = "release ";
  const std::string line = release_line(root, OsType::centos, "/etc/redhat-release");
  const auto at = line.find(kWord);
  const auto version =
      at == std::string::npos ? std::nullopt : leading_version(line.substr(at + kWord.size()));
  if (!version || version->major < 5 || version->major >= 11) refuse(OsType::centos, line, "5 to 10");
  return *version;
}

OsVersion version_id(OsType type, const OsRelease& os_release, int oldest) {
  const auto found = os_release.find("VERSION_ID");
  const std::string text = found == os_release.end() ? "" : found->second;
  const auto version = leading_version(text);
  if (!version || version->major < oldest) refuse(type, text, formatted("{} and newer", oldest));
  return *version;
}

OsVersion opensuse_version(const OsRelease& os_release) {
  constexpr int kFirstSnapshot = 20170000;  // Tumbleweed's releases are dates
  constexpr int kDates = 10000000;
  const auto found = os_release.find("VERSION_ID");
  const std::string text = found == os_release.end() ? "" : found->second;
  const auto id = os_release.find("ID");
  const bool sles = id != os_release.end() && id->second == "sles";
  const auto version = leading_version(text).value_or(OsVersion{});
  const bool leap = version.major >= 42 && version.major < kDates;
  const bool old = version.major == 13 && version.minor <= 2;
  const bool current = version.major == 15 || version.major == 16 || (sles && version.major == 12);
  if (leap || old || current || version.major >= kFirstSnapshot) return version;
  refuse(OsType::opensuse, text, "13.0 to 13.2, 15, 16, 42 and newer, SLES 12, snapshots since 2017");
}

OsVersion gentoo_version(const GuestRoot& root) {
  constexpr std::string_view kTitle = "Gentoo Base System release ";
  const std::string line = release_line(root, OsType::gentoo, "/etc/gentoo-release");
  if (!line.starts_with(kTitle)) refuse(OsType::gentoo, line, "'Gentoo Base System release ...'");
  return leading_version(line.substr(kTitle.size())).value_or(OsVersion{});
}

}  // namespace

OsVersion detect_version(const GuestRoot& root, OsType type, const OsRelease& os_release, Report& report) {
  switch (type) {
    case OsType::debian: return debian_version(root, report);
    case OsType::devuan: return devuan_version(root);
    case OsType::ubuntu: return ubuntu_version(root, report);
    case OsType::centos: return centos_version(root);
    case OsType::fedora: return version_id(type, os_release, 22);
    case OsType::openeuler: return version_id(type, os_release, 24);
    case OsType::opensuse: return opensuse_version(os_release);
    case OsType::gentoo: return gentoo_version(root);
    case OsType::alpine:
      return leading_version(release_line(root, type, "/etc/alpine-release")).value_or(OsVersion{});
    case OsType::archlinux:
    case OsType::nixos:
    case OsType::unmanaged: return {};
  }
  return {};
}

}  // namespace hutch::guest
