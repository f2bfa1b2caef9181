#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "storage/archive.h"
#include "tests/storage/scratch.h"
#include "tests/storage/tar_maker.h"

namespace hutch {

inline const std::vector<ArchiveIdRange> kShifted{{0, 100000, 65536}};

// A scratch directory with "root" as a rootfs, an archive beside it, and "outside.txt" that nothing may
// change.
struct Unpacked {
  explicit Unpacked(bool shifted = false) : ids(shifted ? kShifted : std::vector<ArchiveIdRange>{}) {
    check(::mkdir(root.c_str(), 0755), "mkdir");
    if (shifted) check(::chown(root.c_str(), 100000, 100000), "chown");
    write_text(scratch / "outside.txt", "untouched");
  }

  // Extracts `bytes`; returns the error's text, "" for success.
  std::string extract(const std::string& bytes, const std::string& suffix = ".tar") {
    const std::string archive = scratch / ("archive" + suffix);
    write_text(archive, bytes);
    const UniqueFd root_fd = open_file(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    return error_of([&] {
      totals = extract_template({.archive = archive,
                                 .root_fd = root_fd.get(),
                                 .uids = ids,
                                 .gids = ids,
                                 .progress =
                                     [this](std::uint64_t done, std::uint64_t total) {
                                       last_done = done;
                                       last_total = total;
                                     },
                                 .warning = [this](const std::string& text) { warnings.push_back(text); }});
    });
  }
  std::string extract(const TarMaker& maker) { return extract(maker.stream()); }
  struct stat status(const std::string& name) const {
    struct stat result {};
    check(::lstat((root + "/" + name).c_str(), &result), "lstat " + name);
    return result;
  }
  std::string text(const std::string& name) const { return read_file(AT_FDCWD, root + "/" + name); }
  bool has(const std::string& name) const { return path_exists(AT_FDCWD, root + "/" + name); }

  Scratch scratch;
  std::string root = scratch / "root";
  std::vector<ArchiveIdRange> ids;
  std::vector<std::string> warnings;
  ExtractTotals totals;
  std::uint64_t last_done = 0;
  std::uint64_t last_total = 0;
};

}  // namespace hutch
