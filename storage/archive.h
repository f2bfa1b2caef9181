#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Unpacking archives, from the side of `pct`: the work itself is done by the program `hutch-archive`, which
// alone loads libarchive, inside the container's user namespace and chrooted into its rootfs.
namespace hutch {

// One line of a user namespace's id map (user_namespaces(7)).
struct ArchiveIdRange {
  std::uint32_t inside = 0;
  std::uint32_t host = 0;
  std::uint32_t count = 0;
  bool operator==(const ArchiveIdRange&) const = default;
};

// `done` bytes of the archive file's `total` were consumed.
using ProgressCallback = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct ExtractRequest {
  std::string archive;  // host path
  int root_fd = -1;     // the mounted rootfs, a directory descriptor; borrowed
  // The container's id map. Both empty: no user namespace, the archive's ids are stored as they are
  // (privileged containers, and volumes that keep container ids on disk).
  std::vector<ArchiveIdRange> uids;
  std::vector<ArchiveIdRange> gids;
  // Optional. `progress` is called at most about 20 times a second and once at the end; `warning` gets one
  // line for each member that was left out. Both run in the calling thread, and may throw: the helper is then
  // ended.
  ProgressCallback progress;
  std::function<void(const std::string& text)> warning;
  // The helper program; "" means archive_helper_path().
  std::string helper;
};

struct ExtractTotals {
  std::uint64_t members = 0;         // made
  std::uint64_t archive_bytes = 0;   // size of the archive file
  std::uint64_t unpacked_bytes = 0;  // of the tar stream
};

// Throws "unknown suffix" unless `name` ends in .tar, .tar.gz, .tar.xz, .tar.zst or .tar.bz2. The compression
// itself is recognised by content.
void check_archive_name(std::string_view name);

// Unpacks `request.archive` into the rootfs, keeping numeric owners, modes (set-id bits too), times, hard
// links, holes, ACLs, xattrs user.* and security.capability. Members below dev/ are left out, as are those
// whose name exists already; device nodes that the user namespace may not make are left out with a warning.
// Throws one Error for everything else: unreadable, empty, truncated or damaged archives, member names that
// are absolute, contain "..", or go through a symlink, ids that the map does not cover, a full file system
// (ENOSPC), a helper that died. What was unpacked until then stays in the rootfs; the caller removes the
// volume. A volume in an image is written back meanwhile and has been written back whole on return, so that a
// storage that is full below it is one of these errors (ENOSPC, EIO).
//
// Forks; call it while the process has one thread. Signals are not touched.
ExtractTotals extract_template(const ExtractRequest& request);

// The volume's image cannot take what was unpacked (its storage is full, or fails): nothing in it can be
// relied on, so this is no failure that `--ignore-unpack-errors` may pass over.
class VolumeWriteError : public Error {
 public:
  using Error::Error;
};

// Where `hutch-archive` is (helper_program.h).
std::string archive_helper_path();

}  // namespace hutch
