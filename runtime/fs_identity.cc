#include "runtime/fs_identity.h"

#include <sys/capability.h>
#include <sys/fsuid.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/format.h"

namespace hutch {

namespace {

constexpr uid_t kUnchanged = static_cast<uid_t>(-1);

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};

// Leaving user 0 takes the file capabilities out of the effective set (capabilities(7)); they are still
// permitted.
void restore_effective_capabilities() {
  const std::unique_ptr<_cap_struct, FreeCapabilities> capabilities(::cap_get_proc());
  if (!capabilities) throw_errno("cannot read the process's capabilities");
  for (cap_value_t value = 0; value < ::cap_max_bits(); ++value) {
    cap_flag_value_t permitted = CAP_CLEAR;
    check(::cap_get_flag(capabilities.get(), value, CAP_PERMITTED, &permitted), "cannot read a capability");
    check(::cap_set_flag(capabilities.get(), CAP_EFFECTIVE, 1, &value, permitted), "cannot set a capability");
  }
  check(::cap_set_proc(capabilities.get()), "cannot keep the capabilities for files");
}

}  // namespace

FsIdentity::FsIdentity(uid_t uid, gid_t gid)
    : uid_before_(static_cast<uid_t>(::setfsuid(kUnchanged))),
      gid_before_(static_cast<gid_t>(::setfsgid(kUnchanged))) {
  if (uid == uid_before_ && gid == gid_before_) return;
  ::setfsgid(gid);
  ::setfsuid(uid);
  // Neither call reports a failure; asking again does.
  if (static_cast<uid_t>(::setfsuid(kUnchanged)) != uid ||
      static_cast<gid_t>(::setfsgid(kUnchanged)) != gid) {
    throw Error(formatted("cannot act on files as user {}, group {}", uid, gid), EPERM);
  }
  restore_effective_capabilities();
}

FsIdentity::~FsIdentity() {
  // Becoming 0 again puts the file capabilities back into the effective set by itself.
  ::setfsuid(uid_before_);
  ::setfsgid(gid_before_);
}

}  // namespace hutch
