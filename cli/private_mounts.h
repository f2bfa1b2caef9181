#pragma once

#include "base/unique_fd.h"

namespace hutch::cli {

// Puts the process into a mount namespace of its own, from which nothing propagates to the host, and back on
// destruction: what was mounted in between vanishes with the namespace, however the command ends. The
// process must have one thread. Root and working directory are kept.
class PrivateMounts {
 public:
  PrivateMounts();
  PrivateMounts(const PrivateMounts&) = delete;
  PrivateMounts& operator=(const PrivateMounts&) = delete;
  ~PrivateMounts();

 private:
  UniqueFd namespace_;  // the one to return to
  UniqueFd root_;
  UniqueFd working_directory_;
};

}  // namespace hutch::cli
