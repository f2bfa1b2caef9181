#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/libarchive_handle.h"
#include "storage/member.h"

namespace hutch {

// One entry of a POSIX ACL as the kernel stores it (linux/posix_acl.h, linux/posix_acl_xattr.h).
struct AclEntry {
  std::uint16_t tag =
      0;  // ACL_USER_OBJ 1, ACL_USER 2, ACL_GROUP_OBJ 4, ACL_GROUP 8, ACL_MASK 0x10, ACL_OTHER 0x20
  std::uint16_t perm = 0;         // 0..7
  std::uint32_t id = 0xffffffff;  // of ACL_USER and ACL_GROUP
};

// The value of "system.posix_acl_access" or "system.posix_acl_default": version 2, little endian, entries
// sorted.
std::string encode_acl(std::vector<AclEntry> entries);

// Adds the entry's ACLs to the member's xattrs. An ACL that names a user or group without a number is left
// out with a warning: the host's and the container's names are not the same people.
void add_acls(struct archive_entry* entry, Member& member,
              const std::function<void(const std::string&)>& warn);

}  // namespace hutch
