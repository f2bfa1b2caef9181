#include "guest/ifupdown.h"
#include "guest/inittab.h"
#include "guest/os_family.h"
#include "guest/systemd_units.h"

// Debian and Devuan: systemd or sysvinit, and ifupdown.
namespace hutch::guest::debian {

// Not in PVE, whose own templates come with these units masked: one fresh from the mirror boots to "running"
// too.
void template_fixup(const SetupContext& context) {
  if (context.os.init.systemd) mask_kernel_units(context.root);
}

void init_and_getty(const SetupContext& context) {
  const auto& [root, settings, os, report] = context;
  if (os.init.systemd) {
    if (os.version.major >= 12) write_presets(root, {{"systemd-networkd.service", false}});
    set_up_container_getty(root, settings.tty_count, tty_directory(context));
  }
  const bool old = os.version.major < 7;
  write_inittab(root, old ? InittabStyle::sysvinit_old : InittabStyle::sysvinit, settings.tty_count);
}

void network(const SetupContext& context) {
  const bool cidr = context.os.type == OsType::debian && context.os.version.major >= 10;
  write_interfaces(context.root, context.settings.interfaces,
                   cidr ? AddressForm::cidr : AddressForm::netmask);
}

}  // namespace hutch::guest::debian
