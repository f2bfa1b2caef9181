#include <string>

#include "guest/hostname.h"
#include "guest/ifupdown.h"
#include "guest/inittab.h"
#include "guest/os_family.h"
#include "guest/systemd_units.h"

// Alpine: busybox init with OpenRC, and ifupdown.
namespace hutch::guest::alpine {

void template_fixup(const SetupContext& context) {
  static const std::string kLevels = "/etc/runlevels/";
  const auto enable = [&](const std::string& level, const std::string& service) {
    const std::string link = kLevels + level + "/" + service;
    if (context.root.type_of(link)) return;
    context.root.make_directories(kLevels + level);
    context.root.symlink("/etc/init.d/" + service, link);
  };
  for (const char* service : {"networking", "bootmisc", "hostname"}) enable("boot", service);
  for (const char* service : {"killprocs", "savecache"}) enable("shutdown", service);
  allow_root_on_ttys(context.root, tty_directory(context));
  remove_template_host(context.root);
}

void init_and_getty(const SetupContext& context) {
  write_inittab(context.root, InittabStyle::busybox, context.settings.tty_count);
}

void network(const SetupContext& context) {
  constexpr OsVersion kFirstCidr{3, 13};
  auto interfaces = context.settings.interfaces;
  for (auto& interface : interfaces) {
    // busybox' ifup has neither method; "manual" leaves the kernel's own autoconfiguration alone.
    if (interface.ip6 == "dhcp" || interface.ip6 == "auto") interface.ip6 = "manual";
  }
  const bool cidr = context.os.version >= kFirstCidr;
  write_interfaces(context.root, interfaces, cidr ? AddressForm::cidr : AddressForm::netmask);
}

}  // namespace hutch::guest::alpine
