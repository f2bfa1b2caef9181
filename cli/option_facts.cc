#include "cli/option_facts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "config/property_formats.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "storage/dir_storage.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

void check_device(const std::string& text) {
  const auto device = config::parse_device(text);
  struct stat status {};
  if (::stat(device.path.c_str(), &status) < 0)
    throw_errno(formatted("device '{}' cannot be used", device.path), "connect it, or load its driver");
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw Error(formatted("'{}' is not a device", device.path));
  }
}

void check_net(const std::string& text) {
  const auto net = config::parse_net(text);
  if (net.ip6 == "auto" && net.host_managed.value_or(false) && !net.link_down.value_or(false)) {
    throw Error("ip6=auto cannot be combined with host-managed", 0,
                "the host cannot follow router advertisements for it");
  }
  if (!net.mtu || net.bridge.empty()) return;
  netlink::Socket socket;
  const auto bridge = netlink::find_link(socket, net.bridge);
  // A bridge that is made later is the start's business.
  if (bridge && *net.mtu > bridge->mtu) {
    throw Error(
        formatted("MTU {} is larger than that of bridge '{}' ({})", *net.mtu, net.bridge, bridge->mtu), 0,
        "use a smaller one, or leave it out for the bridge's");
  }
}

void check_hookscript(const std::string& text, const StorageConfig& storages, const Sysroot& sysroot) {
  const VolumeId id = parse_volume_id(text);
  if (parse_file_volume(id).kind != VolumeKind::snippet) {
    throw Error(formatted("volume '{}' is not a snippet", text), 0,
                "it has the form <storage>:snippets/<file>");
  }
  const std::string path = DirStorage(storages.dir_for(id.storage, "snippets"), sysroot).path_of(id);
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) throw_errno(formatted("hook script '{}' cannot be used", path));
  if (!S_ISREG(status.st_mode) || (status.st_mode & S_IXUSR) == 0) {
    throw Error(formatted("hook script '{}' is not an executable file", path), 0, "chmod +x");
  }
}

// tzset(3): zones are files of tzfile(5). Without tzdata on the host nothing is known about them.
void check_timezone(const std::string& zone) {
  static const std::string kZones = "/usr/share/zoneinfo/";
  if (zone == "host" || zone == "UTC" || !path_exists(AT_FDCWD, kZones + "zone.tab")) return;
  struct stat status {};
  const std::string path = kZones + zone;
  if (::stat(path.c_str(), &status) < 0 && errno != ENOENT && errno != ENOTDIR)
    throw_errno(formatted("cannot look at '{}'", path));
  if (S_ISREG(status.st_mode) && read_regular_file(path).starts_with("TZif")) return;
  throw Error(formatted("'{}' is no time zone that this host knows", zone), 0,
              "use 'host', 'UTC' or a zone such as Europe/Vienna");
}

}  // namespace

void check_option_facts(const config::Section& options, const StorageConfig& storages,
                        const Sysroot& sysroot) {
  for (const auto& [name, value] : options.options) {
    try {
      if (name.starts_with("dev")) check_device(value.value);
      if (name.starts_with("net")) check_net(value.value);
      if (name == "timezone") check_timezone(value.value);
      if (name == "hookscript") check_hookscript(value.value, storages, sysroot);
    } catch (const Error& error) {
      throw error.with_origin({"--" + name});
    }
  }
}

}  // namespace hutch::cli
