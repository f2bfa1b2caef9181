#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "storage/byte_queue.h"
#include "storage/libarchive_handle.h"
#include "storage/member.h"

namespace hutch {

// Reads the members of a tar stream (ustar, pax, GNU; sparse files, xattrs, ACLs) through libarchive.
class MemberReader {
 public:
  using Warning = std::function<void(const std::string& text)>;
  // A piece of a file's contents; what no piece covers is a hole.
  struct Block {
    std::span<const char> bytes;
    std::uint64_t offset = 0;
  };

  MemberReader(ByteQueue& queue, Warning warn);

  // The next member; nothing at the end, which was checked: the stream ends with the zero blocks of tar and
  // no decompression error followed. Throws for anything that is not a complete tar archive.
  std::optional<Member> next();
  // The next piece of the current file, valid until the next call; nothing at its end.
  std::optional<Block> next_block();
  // Bytes of the tar stream so far.
  std::uint64_t stream_bytes() const { return stream_bytes_; }

 private:
  static la_ssize_t read_queue(struct archive* reader, void* self, const void** buffer);
  void pull(std::span<const char>& chunk);
  [[noreturn]] void throw_failure();
  void check_end();

  ByteQueue& queue_;
  Warning warn_;
  std::uint64_t stream_bytes_ = 0;
  std::uint64_t zero_tail_ = 0;  // zero bytes at the end of what was read
  std::uint64_t members_ = 0;
  ArchiveReader reader_;
};

}  // namespace hutch
