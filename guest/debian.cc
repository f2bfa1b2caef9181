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
  const OsVersion& version = context.os.version;
  const int tty_count = context.settings.tty_count;
  if (context.os.init.systemd) {
    if (version.major >= 12) write_presets(context.root, {{"systemd-networkd.service", false}});
    set_up_container_getty(context.root, tty_count, tty_directory(context));
  }
  const bool old = version.major < 7;
  write_inittab(context.root, old ? InittabStyle::sysvinit_old : InittabStyle::sysvinit, tty_count);
}

void network(const SetupContext& context) {
  const bool cidr = context.os.type == OsType::debian && context.os.version.major >= 10;
  write_interfaces(context.root, context.settings.interfaces,
                   cidr ? AddressForm::cidr : AddressForm::netmask);
}

}  // namespace hutch::guest::debian
