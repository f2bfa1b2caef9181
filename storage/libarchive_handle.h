#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

namespace hutch {

struct FreeArchiveReader {
  void operator()(struct archive* reader) const { ::archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<struct archive, FreeArchiveReader>;

// libarchive's explanation of the last failure.
inline std::string error_text(struct archive* handle) {
  const char* text = ::archive_error_string(handle);
  return text != nullptr ? text : "unknown error";
}

}  // namespace hutch
