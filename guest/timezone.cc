#include "guest/timezone.h"

#include <string_view>

#include "base/format.h"

namespace hutch::guest {

namespace {

constexpr std::string_view kZones = "/usr/share/zoneinfo/";

// The text after ".../usr/share/zoneinfo/"; "" when that is no part of the path.
std::string zone_of(std::string_view path) {
  const auto at = path.find(kZones);
  return at == std::string_view::npos ? "" : std::string(path.substr(at + kZones.size()));
}

}  // namespace

void write_timezone(const GuestRoot& root, const std::string& zone, const std::string& host_localtime,
                    Report& report) {
  static const std::string kLocaltime = "/etc/localtime";
  if (zone.empty()) return;
  const std::string name = zone == "host" ? zone_of(host_localtime) : zone;
  if (name.empty()) {
    report.warn(formatted(
        "the host's /etc/localtime ('{}') names no zone below {}; the container's time zone is left as it is",
        host_localtime, kZones));
    return;
  }
  const std::string target = std::string(kZones) + name;
  if (!root.is_regular(target)) {
    report.warn(formatted(
        "the container has no '{}'; its time zone is left as it is (is tzdata installed in it?)", target));
    return;
  }
  if (root.resolved_path(kLocaltime) != root.resolved_path(target)) root.symlink(target, kLocaltime);
  if (root.is_regular("/etc/timezone")) root.write("/etc/timezone", name + "\n");
}

}  // namespace hutch::guest
