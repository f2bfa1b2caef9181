#include "guest/detect.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "guest/os_release.h"
#include "guest/os_version.h"

namespace hutch::guest {

namespace {

using OsRelease = std::map<std::string, std::string>;

constexpr std::array<std::pair<std::string_view, OsType>, 8> kAliases{{
    {"opensuse-leap", OsType::opensuse},
    {"opensuse-tumbleweed", OsType::opensuse},
    {"opensuse-slowroll", OsType::opensuse},
    {"sles", OsType::opensuse},
    {"openEuler", OsType::openeuler},
    {"arch", OsType::archlinux},
    {"rocky", OsType::centos},
    {"almalinux", OsType::centos},
}};

// Tried in this order when os-release does not say.
constexpr std::array<std::pair<const char*, OsType>, 10> kReleaseFiles{{
    {"/etc/debian_version", OsType::debian},
    {"/etc/devuan_version", OsType::devuan},
    {"/etc/SuSE-brand", OsType::opensuse},
    {"/etc/SuSE-release", OsType::opensuse},
    {"/etc/fedora-release", OsType::fedora},
    {"/etc/centos-release", OsType::centos},
    {"/etc/redhat-release", OsType::centos},
    {"/etc/arch-release", OsType::archlinux},
    {"/etc/alpine-release", OsType::alpine},
    {"/etc/gentoo-release", OsType::gentoo},
}};

std::optional<OsType> type_by_id(const OsRelease& os_release, Report& report) {
  const auto id = os_release.find("ID");
  if (id == os_release.end()) return std::nullopt;
  if (const auto type = os_type_from_name(id->second)) return type;
  for (const auto& [alias, type] : kAliases) {
    if (alias == id->second) return type;
  }
  report.warn(formatted("the container's os-release has the unknown ID '{}'; looking at its release files",
                        id->second));
  return std::nullopt;
}

std::optional<OsType> type_by_release_file(const GuestRoot& root) {
  if (const auto lsb = root.read("/etc/lsb-release")) {
    auto values = parse_os_release(*lsb);
    if (values["DISTRIB_ID"] == "Ubuntu") return OsType::ubuntu;
  }
  for (const auto& [path, type] : kReleaseFiles) {
    if (root.is_regular(path)) return type;
  }
  if (root.is_directory("/nix/store")) return OsType::nixos;
  if (root.is_regular("/etc/openEuler-release")) return OsType::openeuler;
  return std::nullopt;
}

OsType detect_type(const GuestRoot& root, const OsRelease& os_release, Report& report) {
  if (const auto type = type_by_id(os_release, report)) return *type;
  if (const auto type = type_by_release_file(root)) return *type;
  if (root.is_regular("/etc/os-release")) {
    throw Error("unable to detect OS distribution", 0,
                "the container's /etc/os-release has no known ID and it has no known release file; --ostype "
                "unmanaged "
                "leaves the container's files alone");
  }
  report.warn(
      "unable to detect the container's OS distribution; its files are left alone (ostype unmanaged)");
  return OsType::unmanaged;
}

}  // namespace

DetectedOs detect_os(const GuestRoot& root, std::string_view configured, Report& report) {
  DetectedOs os;
  if (configured == os_type_name(OsType::unmanaged)) return os;
  auto text = root.read("/etc/os-release");
  if (!text) text = root.read("/usr/lib/os-release");
  const OsRelease os_release = parse_os_release(text.value_or(""));
  os.type = detect_type(root, os_release, report);
  if (!configured.empty() && configured != os_type_name(os.type)) {
    report.warn(formatted("got unexpected ostype ({} != {})", os_type_name(os.type), configured));
    if (!root.is_directory("/etc")) report.warn("the container has no /etc; is its rootfs mounted?");
  }
  if (os.type == OsType::unmanaged) return os;
  os.version = detect_version(root, os.type, os_release, report);
  os.init = detect_init(root);
  return os;
}

}  // namespace hutch::guest
