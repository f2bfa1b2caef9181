#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

// A small file system that somebody else makes, with bare system calls only (base/raw_syscall.h), in the
// memory of whoever gives the orders: plain data, which stays as it is until the answer.
namespace hutch {

struct TreeOption {
  const char* key;
  const char* value;
};

struct TreeEntry {
  enum class Kind : std::uint32_t { device, directory, symlink, file };
  Kind kind{};
  mode_t mode = 0;   // not of symlinks; a device's with its type (mknod(2))
  dev_t device = 0;  // of devices
  const char* path;  // relative to the root; its directory comes before it
  const char* text;  // what a symlink points to, a file's content; ends with a zero byte
};

struct TreeOrders {
  const char* type;  // of the file system (fsopen(2))
  const TreeOption* options;
  std::size_t option_count;
  unsigned attributes;  // MOUNT_ATTR_*
  const TreeEntry* entries;
  std::size_t entry_count;
  uid_t uid;  // of every entry
  gid_t gid;
};

struct TreeFailure {
  enum class Step : std::uint32_t { mount, option, entry, owner };
  Step step{};
  std::uint32_t at = 0;    // index of the option or entry
  std::int32_t error = 0;  // errno; 0: no failure
};

// A descriptor of the detached mount; -1, and `failure`, when it cannot be made. The umask must be 0.
int make_tree(const TreeOrders& orders, TreeFailure& failure);

}  // namespace hutch
