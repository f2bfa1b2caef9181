#pragma once

#include <sys/types.h>

namespace hutch {

// While it lives, the calling process acts on files as another user (setfsuid(2)), with its capabilities kept
// in force. On an id-mapped mount this is the only way to make files: an id without a mapping there, such as
// the host's root, is refused (EOVERFLOW). The process must have one thread.
class FsIdentity {
 public:
  FsIdentity(uid_t uid, gid_t gid);
  FsIdentity(const FsIdentity&) = delete;
  FsIdentity& operator=(const FsIdentity&) = delete;
  ~FsIdentity();

 private:
  uid_t uid_before_;
  gid_t gid_before_;
};

}  // namespace hutch
