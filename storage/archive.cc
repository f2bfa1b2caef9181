#include "storage/archive.h"

#include <fcntl.h>
#include <linux/major.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/helper_program.h"
#include "base/mount.h"
#include "storage/archive_process.h"
#include "storage/helper_protocol.h"

namespace hutch {

namespace {

constexpr std::array<std::string_view, 5> kSuffixes{".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"};

// Splits what comes out of the helper into lines and acts on them.
class Listener {
 public:
  Listener(const ExtractRequest& request, std::uint64_t total) : request_(request), total_(total) {}

  void take(std::string_view bytes) {
    pending_ += bytes;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      const std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      act(parse_helper_line(line));
    }
  }

  const std::optional<Error>& failure() const { return failure_; }
  const HelperProgress& last() const { return last_; }

 private:
  void act(const HelperEvent& event) {
    if (event.failure) failure_ = event.failure;
    if (event.warning && request_.warning) request_.warning(*event.warning);
    if (event.progress) {
      last_ = *event.progress;
      if (request_.progress) request_.progress(last_.consumed, total_);
    }
  }

  const ExtractRequest& request_;
  std::uint64_t total_;
  std::string pending_;
  HelperProgress last_;
  std::optional<Error> failure_;
};

// Reads what is there; false at the end.
bool drain(int fd, std::string& into) {
  char buffer[4096];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  if (count < 0 && errno == EINTR) return true;
  if (count < 0) throw_errno("cannot read from hutch-archive");
  into.assign(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

// Writes an image volume's file system back while the helper still unpacks: the helper is bound by the
// processor, so writing only at the end would leave the other processors and the disk idle until then. It is
// also the only way to learn about errors of the file below the image (most often a full storage): unmounting
// would write back too, but without telling.
class ImageFlush {
 public:
  // `context` starts the text of an error.
  ImageFlush(int root_fd, std::string context) : context_(std::move(context)) {
    // One descriptor for all calls: an error is told only to those who had opened it before.
    UniqueFd root = open_file(root_fd, ".", O_RDONLY | O_DIRECTORY);
    struct stat status {};
    check(::fstat(root.get(), &status), "cannot stat the rootfs");
    if (::major(status.st_dev) == LOOP_MAJOR) root_ = std::move(root);
  }

  // Nothing for directory volumes: they are part of a host file system, which keeps its own time for that.
  void run() const {
    const int failure = root_ ? sync_file_system(root_.get()) : 0;
    if (failure != 0) {
      throw VolumeWriteError(
          formatted("{}: cannot write the volume's file system back to its image", context_), failure,
          "the storage that holds the image may be full");
    }
  }

 private:
  std::string context_;
  UniqueFd root_;
};

// What it says on standard error is not part of the protocol: a linker's or sanitizer's last words.
std::string follow(ArchiveProcess& process, Listener& listener, const ImageFlush& flush) {
  std::string last_words;
  bool events_open = true;
  bool errors_open = true;
  while (events_open || errors_open) {
    pollfd fds[2] = {{events_open ? process.events() : -1, POLLIN, 0},
                     {errors_open ? process.errors() : -1, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("cannot wait for hutch-archive");
    }
    std::string bytes;
    if (fds[0].revents != 0) {
      events_open = drain(process.events(), bytes);
      listener.take(bytes);
      // The helper's progress is the clock. Its own failure is the better report.
      if (events_open && !listener.failure()) flush.run();
    }
    bytes.clear();
    if (fds[1].revents != 0) {
      errors_open = drain(process.errors(), bytes);
      if (last_words.size() < 4096) last_words += bytes;
    }
  }
  return last_words;
}

}  // namespace

void check_archive_name(std::string_view name) {
  for (const auto suffix : kSuffixes) {
    const auto slash = name.rfind('/');
    const auto file = slash == std::string_view::npos ? name : name.substr(slash + 1);
    if (file.size() > suffix.size() && file.ends_with(suffix)) return;
  }
  throw Error(formatted("'{}' is not a template archive: unknown suffix", name), 0,
              "the name must end in .tar, .tar.gz, .tar.xz, .tar.zst or .tar.bz2");
}

ExtractTotals extract_template(const ExtractRequest& request) {
  check_archive_name(request.archive);
  const UniqueFd archive = open_file(AT_FDCWD, request.archive, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  struct stat status {};
  check(::fstat(archive.get(), &status), formatted("cannot stat '{}'", request.archive));
  if (!S_ISREG(status.st_mode)) throw Error(formatted("'{}' is not a regular file", request.archive));
  const auto total = static_cast<std::uint64_t>(status.st_size);
  const std::string context = formatted("cannot extract archive '{}'", request.archive);
  Listener listener(request, total);
  const ImageFlush flush(request.root_fd, context);
  ArchiveProcess process(request.helper.empty() ? archive_helper_path() : request.helper, archive.get(),
                         request.root_fd, request.uids, request.gids);
  const std::string last_words = follow(process, listener, flush);
  const std::string outcome = process.wait();
  if (listener.failure()) throw listener.failure()->with_context(context);
  if (!outcome.empty()) {
    throw Error(
        formatted("{}: hutch-archive {}{}{}", context, outcome, last_words.empty() ? "" : ": ", last_words));
  }
  flush.run();
  return {listener.last().members, total, listener.last().unpacked};
}

std::string archive_helper_path() {
  return helper_program_path("hutch-archive", "storage");
}

}  // namespace hutch
