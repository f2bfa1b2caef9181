#include "guest/hostname.h"
#include "guest/os_family.h"
#include "guest/systemd_units.h"

// Arch Linux: systemd and systemd-networkd.
namespace hutch::guest::archlinux {

void template_fixup(const SetupContext& context) {
  allow_root_on_ttys(context.root, tty_directory(context));
  remove_template_host(context.root);
}

void init_and_getty(const SetupContext& context) {
  write_presets(context.root, {{"systemd-networkd.service", true}});
  set_up_container_getty(context.root, context.settings.tty_count, tty_directory(context));
}

}  // namespace hutch::guest::archlinux
