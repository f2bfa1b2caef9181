#include <string>

#include "base/format.h"
#include "base/text.h"
#include "guest/ifupdown.h"
#include "guest/networkd.h"
#include "guest/os_family.h"
#include "guest/systemd_units.h"

// Ubuntu: upstart and ifupdown, then systemd and ifupdown, and systemd-networkd since 17.10.
namespace hutch::guest::ubuntu {

namespace {

constexpr OsVersion kFirstSystemd{15, 4};
constexpr OsVersion kFirstContainerGetty{16, 10};
constexpr OsVersion kFirstNetworkd{17, 10};
constexpr OsVersion kFirstPresets{23, 4};
constexpr int kMostTtys = 6;

void link_networkd(const GuestRoot& root) {
  static const std::string kUnits = "/lib/systemd/system/";
  static const std::string kSystem = "/etc/systemd/system/";
  root.make_directories(kSystem + "multi-user.target.wants");
  root.make_directories(kSystem + "socket.target.wants");
  root.symlink(kUnits + "systemd-networkd.service",
               kSystem + "multi-user.target.wants/systemd-networkd.service");
  root.symlink(kUnits + "systemd-networkd.socket", kSystem + "socket.target.wants/systemd-networkd.socket");
}

// udev of 12.04 fills the console with complaints about devices that a container does not have.
void quiet_udev(const GuestRoot& root) {
  static const std::string kFile = "/etc/udev/udev.conf";
  auto content = root.read(kFile);
  if (!content) return;
  if (content->ends_with('\n')) content->pop_back();
  std::string text;
  for (const auto line : split(*content, '\n')) {
    if (!line.starts_with("udev_log=")) text.append(line).append("\n");
  }
  root.write(kFile, text + "udev_log=\"0\"\n");
}

void write_upstart_gettys(const GuestRoot& root, int tty_count) {
  for (int tty = 1; tty <= kMostTtys; ++tty) {
    const std::string path = formatted("/etc/init/tty{}.conf", tty);
    if (tty > tty_count) {
      root.remove(path);
      continue;
    }
    root.write(path, formatted("start on stopped rc RUNLEVEL=[2345]\nstop on runlevel [!2345]\n\nrespawn\n"
                               "exec /sbin/getty -8 38400 tty{}\n",
                               tty));
  }
}

}  // namespace

void template_fixup(const SetupContext& context) {
  const auto& version = context.os.version;
  if (version >= kFirstNetworkd) {
    context.root.remove("/etc/netplan/10-lxc.yaml");
    if (version < kFirstPresets) link_networkd(context.root);
  } else if (version >= kFirstSystemd && version < kFirstContainerGetty) {
    allow_root_on_ttys(context.root, tty_directory(context), "pts/0");
  } else if (version == OsVersion{12, 4}) {
    quiet_udev(context.root);
  }
}

void init_and_getty(const SetupContext& context) {
  const auto& version = context.os.version;
  if (version < kFirstSystemd) {
    write_upstart_gettys(context.root, context.settings.tty_count);
    return;
  }
  if (version < kFirstContainerGetty) return;
  if (version >= kFirstPresets) write_presets(context.root, {{"systemd-networkd.service", true}});
  set_up_container_getty(context.root, context.settings.tty_count, tty_directory(context));
}

void network(const SetupContext& context) {
  if (context.os.version >= kFirstNetworkd)
    write_network_units(context.root, context.settings.interfaces);
  else
    write_interfaces(context.root, context.settings.interfaces, AddressForm::netmask);
}

}  // namespace hutch::guest::ubuntu
