#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace hutch {

// Deletes network links without waiting for all of it. The kernel takes a link out of sight, its name free
// again, within a millisecond or two, but then keeps the process that asked for it for another 20 ms, until
// the last reader of its tables must be gone (net/core/dev.c, netdev_run_todo: rcu_barrier). So a process of
// its own asks; it ends by itself some time after everything else.
class LinkRemoval {
 public:
  // Begins to delete those of the links in this process's network namespace that exist.
  explicit LinkRemoval(const std::vector<std::string>& names);

  // Returns when none of the links is left, whoever removed it. Throws what the kernel had against a
  // deletion, ETIMEDOUT after `timeout`.
  void wait(std::chrono::milliseconds timeout);

 private:
  // The name may be another link's when the process comes to it: of the next start of the same container.
  struct Link {
    std::string name;
    int index = 0;
  };
  bool is_there(const Link& link) const;
  void await_report(const Link& link);
  [[noreturn]] static void run_deletion(const std::vector<Link>& links, int reports);

  std::vector<Link> links_;
  UniqueFd socket_;   // any, for asking about links
  UniqueFd reports_;  // the process's; empty: there was nothing to do
};

}  // namespace hutch
