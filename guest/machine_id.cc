#include "guest/machine_id.h"

#include <string>

#include "base/text.h"

namespace hutch::guest {

namespace {

// A symlink there (to /etc/machine-id, as D-Bus recommends) is no second copy and stays.
void remove_dbus_copy(const GuestRoot& root, const InitSystem& init) {
  static const std::string kCopy = "/var/lib/dbus/machine-id";
  if (init.systemd && root.type_of(kCopy) == S_IFREG) root.remove(kCopy);
}

}  // namespace

void clear_machine_id(const GuestRoot& root, const InitSystem& init) {
  remove_dbus_copy(root, init);
  root.remove("/etc/machine-id");
}

void renew_machine_id(const GuestRoot& root, const InitSystem& init) {
  static const std::string kMachineId = "/etc/machine-id";
  remove_dbus_copy(root, init);
  if (!init.systemd) return;
  const auto content = root.read(kMachineId);
  if (content && trim(*content) != "uninitialized") root.write(kMachineId, "\n");
}

}  // namespace hutch::guest
