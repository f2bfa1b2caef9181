#include "guest/snakeoil.h"

#include <string>
#include <string_view>

namespace hutch::guest {

namespace {

constexpr std::string_view kUnit =
    "[Unit]\n"
    "Description=Make a new snakeoil certificate for this container\n"
    "ConditionFirstBoot=yes\n"
    "ConditionPathExists=/etc/ssl/certs/ssl-cert-snakeoil.pem\n"
    "Before=first-boot-complete.target\n"
    "Wants=first-boot-complete.target\n"
    "\n"
    "[Service]\n"
    "Type=oneshot\n"
    "ExecStart=/usr/sbin/make-ssl-cert -f generate-default-snakeoil\n"
    "\n"
    "[Install]\n"
    "WantedBy=first-boot-complete.target\n";

}  // namespace

void replace_snakeoil_key(const GuestRoot& root, const InitSystem& init, Report& report) {
  static const std::string kKey = "/etc/ssl/private/ssl-cert-snakeoil.key";
  static const std::string kPath = "/etc/systemd/system/proxmox-regenerate-snakeoil.service";
  static const std::string kWants = "/etc/systemd/system/first-boot-complete.target.wants";
  if (!root.is_regular(kKey)) return;
  if (init.systemd) {
    root.make_directories(kWants);
    root.write(kPath, kUnit);
    root.symlink(kPath, kWants + "/proxmox-regenerate-snakeoil.service");
  } else {
    report.warn(
        "the template's snakeoil certificate key is removed; make a new one inside the container with "
        "'make-ssl-cert generate-default-snakeoil'");
  }
  root.remove(kKey);
}

}  // namespace hutch::guest
