#include "storage/extract.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "storage/byte_queue.h"
#include "storage/decompressor.h"
#include "storage/member_path.h"
#include "storage/member_reader.h"
#include "storage/tree_writer.h"

namespace hutch {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kProgressInterval = std::chrono::milliseconds(50);

// The decompressing thread; it never outlives the queue.
class Feeder {
 public:
  Feeder(int archive_fd, ByteQueue& queue)
      : queue_(queue), thread_([this, archive_fd] { decompress(archive_fd, queue_, consumed_); }) {}
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;
  ~Feeder() {
    queue_.cancel();
    thread_.join();
  }
  std::uint64_t consumed() const { return consumed_.load(std::memory_order_relaxed); }

 private:
  ByteQueue& queue_;
  std::atomic<std::uint64_t> consumed_{0};
  std::thread thread_;
};

class Extraction {
 public:
  explicit Extraction(const ExtractJob& job)
      : job_(job),
        feeder_(job.archive_fd, queue_),
        reader_(queue_, job.warn),
        writer_(job.root_fd, job.ids, job.in_user_namespace, job.warn) {}

  void run() {
    while (const auto member = reader_.next()) {
      if (!is_below_dev(member->path) && make(*member)) ++members_;
      report_now_and_then();
    }
    writer_.finish_directories();
    report();
  }

 private:
  bool make(const Member& member) {
    if (member.type != Member::Type::file) return writer_.create(member);
    const UniqueFd fd = writer_.create_file(member);
    if (!fd) return false;
    write_contents(fd.get(), member);
    writer_.finish_file(fd.get(), member);
    return true;
  }

  void write_contents(int fd, const Member& member) {
    std::uint64_t end = 0;
    while (const auto block = reader_.next_block()) {
      if (block->bytes.empty()) continue;
      write_block(fd, *block, member.path);
      end = block->offset + block->bytes.size();
      report_now_and_then();
    }
    if (end < member.size && ::ftruncate(fd, static_cast<off_t>(member.size)) < 0) fail(member.path);
  }

  void write_block(int fd, MemberReader::Block block, const std::string& path) const {
    while (!block.bytes.empty()) {
      const ssize_t count =
          ::pwrite(fd, block.bytes.data(), block.bytes.size(), static_cast<off_t>(block.offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(path);
      block.bytes = block.bytes.subspan(static_cast<std::size_t>(count));
      block.offset += static_cast<std::uint64_t>(count);
    }
  }

  [[noreturn]] static void fail(const std::string& path) {
    const int saved = errno;
    const bool full = saved == ENOSPC || saved == EDQUOT || saved == EFBIG;
    throw Error(formatted("cannot write '{}'", printable(path)), saved,
                full ? "no space left in the volume, make the volume larger" : "");
  }

  void report() const {
    if (job_.progress) job_.progress(feeder_.consumed(), members_, reader_.stream_bytes());
  }

  void report_now_and_then() {
    const auto now = Clock::now();
    if (now < next_report_) return;
    next_report_ = now + kProgressInterval;
    report();
  }

  const ExtractJob& job_;
  ByteQueue queue_;
  Feeder feeder_;
  MemberReader reader_;
  TreeWriter writer_;
  std::uint64_t members_ = 0;
  Clock::time_point next_report_ = Clock::now() + kProgressInterval;
};

}  // namespace

void extract(const ExtractJob& job) {
  Extraction(job).run();
}

}  // namespace hutch
