#include "runtime/tree_orders.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>

#include <cstring>

#include "base/raw_syscall.h"

namespace hutch {

namespace {

using sys::raw;
using Step = TreeFailure::Step;

class TreeMaker {
 public:
  TreeMaker(const TreeOrders& orders, TreeFailure& failure) : orders_(orders), failure_(failure) {}

  int make() {
    const long context = raw(SYS_fsopen, orders_.type, FSOPEN_CLOEXEC);
    if (!works(context, Step::mount)) return -1;
    const long mount =
        configure(context) ? raw(SYS_fsmount, context, FSMOUNT_CLOEXEC, orders_.attributes) : -1;
    raw(SYS_close, context);
    if (failure_.error != 0 || !works(mount, Step::mount)) return -1;
    if (fill(mount)) return static_cast<int>(mount);
    raw(SYS_close, mount);
    return -1;
  }

 private:
  const TreeOrders& orders_;
  TreeFailure& failure_;

  bool works(long result, Step step, std::size_t at = 0) {
    if (result < 0) failure_ = {step, static_cast<std::uint32_t>(at), static_cast<std::int32_t>(-result)};
    return result >= 0;
  }

  bool configure(long context) {
    for (std::size_t at = 0; at < orders_.option_count; ++at) {
      const auto& [key, value] = orders_.options[at];
      if (!works(raw(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0), Step::option, at))
        return false;
    }
    return works(raw(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), Step::mount);
  }

  bool fill(long root) {
    for (std::size_t at = 0; at < orders_.entry_count; ++at) {
      const TreeEntry& entry = orders_.entries[at];
      if (!works(make_entry(root, entry), Step::entry, at)) return false;
      if (orders_.uid == 0 && orders_.gid == 0) continue;
      const long owned = raw(SYS_fchownat, root, entry.path, orders_.uid, orders_.gid, AT_SYMLINK_NOFOLLOW);
      if (!works(owned, Step::owner, at)) return false;
    }
    return true;
  }

  static long make_entry(long root, const TreeEntry& entry) {
    switch (entry.kind) {
      case TreeEntry::Kind::device: return raw(SYS_mknodat, root, entry.path, entry.mode, entry.device);
      case TreeEntry::Kind::directory: return raw(SYS_mkdirat, root, entry.path, entry.mode);
      case TreeEntry::Kind::symlink: return raw(SYS_symlinkat, entry.text, root, entry.path);
      default: return make_file(root, entry);
    }
  }

  static long make_file(long root, const TreeEntry& entry) {
    const long file =
        raw(SYS_openat, root, entry.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, entry.mode);
    if (file < 0) return file;
    const std::size_t size = std::strlen(entry.text);
    const long written = size == 0 ? 0 : raw(SYS_write, file, entry.text, size);
    raw(SYS_close, file);
    if (written < 0) return written;
    return static_cast<std::size_t>(written) == size ? 0 : -ENOSPC;
  }
};

}  // namespace

int make_tree(const TreeOrders& orders, TreeFailure& failure) {
  failure = {};
  return TreeMaker(orders, failure).make();
}

}  // namespace hutch
