#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "storage/id_coverage.h"

namespace hutch {

struct ExtractJob {
  int archive_fd = -1;
  int root_fd = -1;
  IdCoverage ids;
  bool in_user_namespace = false;
  std::function<void(const std::string& text)> warn;
  // Bytes of the archive file consumed, members made, bytes of the tar stream; at most about 20 times a
  // second and once at the end.
  std::function<void(std::uint64_t consumed, std::uint64_t members, std::uint64_t unpacked)> progress;
};

// Unpacks the whole archive below `root_fd`. Throws one Error for anything that cannot be done. Starts a
// thread.
void extract(const ExtractJob& job);

}  // namespace hutch
