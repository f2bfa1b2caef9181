#include "storage/decompressor.h"

#include <archive.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "storage/libarchive_handle.h"

namespace hutch {

namespace {

// The archive file, read in large blocks.
class Source {
 public:
  Source(int fd, std::atomic<std::uint64_t>& consumed) : fd_(fd), consumed_(consumed), buffer_(1U << 20) {}

  // The next block; empty at the end of the file.
  std::span<char> read() {
    for (;;) {
      const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("cannot read the archive");
      consumed_.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
      return {buffer_.data(), static_cast<std::size_t>(count)};
    }
  }

 private:
  int fd_;
  std::atomic<std::uint64_t>& consumed_;
  std::vector<char> buffer_;
};

bool is_gzip(std::span<const char> block) {
  return block.size() >= 2 && block[0] == '\x1f' && block[1] == '\x8b';
}

[[noreturn]] void throw_damaged(const std::string& reason) {
  throw Error(formatted("the archive is truncated or damaged: {}", reason));
}

// gzip through zlib itself: libarchive's filter does not compare the checksum and length of the trailer.
class Gunzip {
 public:
  Gunzip(std::span<char> first, Source& source, ByteQueue& queue) : source_(source), queue_(queue) {
    // zlib.h: 15 bits of window, +16 for the gzip wrapper with its checks.
    if (::inflateInit2(&stream_, 15 + 16) != Z_OK) throw Error("cannot start zlib");
    feed(first);
  }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  ~Gunzip() { ::inflateEnd(&stream_); }

  void run() {
    for (;;) {
      const std::span<char> out = queue_.acquire();
      if (out.empty()) return;
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(out.size());
      const bool more = fill();
      queue_.commit(out.size() - stream_.avail_out);
      if (!more) return;
    }
  }

 private:
  void feed(std::span<char> block) {
    stream_.next_in = reinterpret_cast<Bytef*>(block.data());
    stream_.avail_in = static_cast<uInt>(block.size());
  }

  // Fills the output buffer; false at the end of the last gzip member.
  bool fill() {
    while (stream_.avail_out > 0) {
      if (stream_.avail_in == 0) {
        const auto block = source_.read();
        if (block.empty() && between_members_) return false;
        if (block.empty()) throw_damaged("the file ends within the compressed data");
        feed(block);
      }
      if (between_members_ && !start_member()) return false;
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        between_members_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw_damaged(stream_.msg != nullptr ? stream_.msg : "gzip data error");
      }
    }
    return true;
  }

  // RFC 1952: members may follow one another. Anything else behind the last one is padding, which gzip(1)
  // ignores too.
  bool start_member() {
    if (*stream_.next_in != 0x1f) return false;
    if (::inflateReset(&stream_) != Z_OK) throw Error("cannot restart zlib");
    between_members_ = false;
    return true;
  }

  Source& source_;
  ByteQueue& queue_;
  z_stream stream_{};
  bool between_members_ = false;
};

// What libarchive's callback needs: the block that was read to look at the magic, then the rest.
struct Input {
  Source* source;
  std::span<char> first;
  std::exception_ptr failure;
};

la_ssize_t read_input(struct archive* reader, void* data, const void** buffer) {
  Input& input = *static_cast<Input*>(data);
  try {
    const std::span<char> block = input.first.empty() ? input.source->read() : input.first;
    input.first = {};
    *buffer = block.data();
    return static_cast<la_ssize_t>(block.size());
  } catch (const Error&) {
    input.failure = std::current_exception();
    ::archive_set_error(reader, EIO, "read error");
    return ARCHIVE_FATAL;
  }
}

// The other formats are libarchive filters below its "raw" format: one member that is the whole stream.
void filter(std::span<char> first, Source& source, ByteQueue& queue) {
  const ArchiveReader reader(::archive_read_new());
  if (!reader) throw Error("cannot start libarchive");
  Input input{&source, first, {}};
  const auto require = [&](int result) {
    if (result >= ARCHIVE_WARN) return;
    if (input.failure) std::rethrow_exception(input.failure);
    throw_damaged(error_text(reader.get()));
  };
  require(::archive_read_support_filter_bzip2(reader.get()));
  require(::archive_read_support_filter_xz(reader.get()));
  require(::archive_read_support_filter_zstd(reader.get()));
  require(::archive_read_support_format_raw(reader.get()));
  require(::archive_read_open(reader.get(), &input, nullptr, read_input, nullptr));
  struct archive_entry* entry = nullptr;
  require(::archive_read_next_header(reader.get(), &entry));
  for (;;) {
    const std::span<char> out = queue.acquire();
    if (out.empty()) return;
    const la_ssize_t count = ::archive_read_data(reader.get(), out.data(), out.size());
    if (count == 0) return;
    require(static_cast<int>(count < 0 ? count : 0));
    queue.commit(static_cast<std::size_t>(count));
  }
}

}  // namespace

void decompress(int archive_fd, ByteQueue& queue, std::atomic<std::uint64_t>& consumed) noexcept {
  try {
    Source source(archive_fd, consumed);
    const std::span<char> first = source.read();
    if (first.empty()) throw Error("the archive is empty");
    if (is_gzip(first)) {
      Gunzip(first, source, queue).run();
    } else {
      filter(first, source, queue);
    }
    queue.finish("");
  } catch (const std::exception& failure) {
    queue.finish(failure.what());
  }
}

}  // namespace hutch
