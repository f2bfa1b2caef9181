#pragma once

#include <string>

#include "guest/detect.h"
#include "guest/guest_root.h"
#include "guest/hostname.h"
#include "guest/report.h"
#include "guest/settings.h"
#include "guest/ssh_host_keys.h"

namespace hutch::guest {

// What a setup step works with.
struct SetupContext {
  const GuestRoot& root;
  const GuestSettings& settings;
  const DetectedOs& os;
  Report& report;
  SshHostKeys* host_keys;  // create only, else null
};

using FamilyStep = void (*)(const SetupContext&);

// How one type of system differs from the others. A null step: what this type needs is not known to us, which
// the user is told; `no_step`: it needs nothing.
struct OsFamily {
  OsType type;
  HostnameStyle hostname;
  bool has_snakeoil;  // may carry Debian's ssl-cert package
  FamilyStep template_fixup;
  FamilyStep init_and_getty;
  FamilyStep network;
};

void no_step(const SetupContext& context);

// The row of a type other than unmanaged.
const OsFamily& os_family(OsType type);

// Where the container's ttys lie below /dev: "lxc/" in privileged containers of most types, else "".
std::string tty_directory(const SetupContext& context);

// The steps of each family, one file each.
namespace debian {
void template_fixup(const SetupContext& context);
void init_and_getty(const SetupContext& context);
void network(const SetupContext& context);
}  // namespace debian
namespace ubuntu {
void template_fixup(const SetupContext& context);
void init_and_getty(const SetupContext& context);
void network(const SetupContext& context);
}  // namespace ubuntu
namespace alpine {
void template_fixup(const SetupContext& context);
void init_and_getty(const SetupContext& context);
void network(const SetupContext& context);
}  // namespace alpine
namespace archlinux {
void template_fixup(const SetupContext& context);
void init_and_getty(const SetupContext& context);
}  // namespace archlinux
namespace nixos {
void network(const SetupContext& context);  // systemd-networkd, also archlinux'
}  // namespace nixos

}  // namespace hutch::guest
