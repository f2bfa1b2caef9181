#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/container_spec.h"
#include "runtime/tree_orders.h"

namespace hutch {

// The container's /dev as a detached tmpfs: device nodes, directories, symlinks, and the files that ptys are
// mounted on later. The host makes it with its own rights (mknod is refused inside a user namespace), which
// replaces a bind mount for every node; inside, nobody can make further nodes on it, because it belongs to
// the initial user namespace. Everything is owned by the container's root.
//
// These are the orders for all of it that the spec alone tells. The supervisor follows them, which has
// nothing else to do while its starter looks at the host.
class DevTree {
 public:
  explicit DevTree(const ContainerSpec& spec);
  DevTree(const DevTree&) = delete;
  DevTree& operator=(const DevTree&) = delete;

  // Point into this object.
  const TreeOrders& orders() const { return orders_; }
  // What the user is told.
  [[noreturn]] void refuse(const TreeFailure& failure) const;

 private:
  std::deque<std::string> texts_;  // those that are not in the program
  std::vector<TreeOption> options_;
  std::vector<TreeEntry> entries_;
  TreeOrders orders_{};

  const char* keep(std::string text);
  void add_terminals(const ContainerSpec& spec);
};

// Adds what the rest of the host tells to the tree that `root` is the root of.
//
// Passed devices (`dev[n]`) are nodes in it, too, in unprivileged containers as well: what makes a node
// unusable is nodev, on the mount or on a superblock that belongs to a container's user namespace, and this
// one is neither. `quota_devices` are paths of the host's block devices that have quotas: the tools find a
// file system's quota by its device's node. No rule of the device filter goes with them: quotactl(2) does not
// open the device, and nothing else may.
void complete_dev_tree(int root, const ContainerSpec& spec, const std::vector<std::string>& quota_devices);

}  // namespace hutch
