// hutch-archive: unpacks an archive into a rootfs. Run by `pct` inside the container's user namespace (see
// storage/archive.h); it alone loads libarchive. All it gets are descriptors.
//
//   hutch-archive extract --root-fd N --archive-fd M [--progress-fd P]

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "storage/confinement.h"
#include "storage/extract.h"
#include "storage/helper_protocol.h"

namespace hutch {
namespace {

constexpr int kWarningLimit = 100;

struct Options {
  int root_fd = -1;
  int archive_fd = -1;
  int progress_fd = -1;
};

struct OptionRow {
  std::string_view name;
  int Options::*fd;
};
constexpr std::array kOptions{
    OptionRow{"--root-fd", &Options::root_fd},
    OptionRow{"--archive-fd", &Options::archive_fd},
    OptionRow{"--progress-fd", &Options::progress_fd},
};

Options parse_options(const std::vector<std::string_view>& words) {
  static const std::string usage =
      "usage: hutch-archive extract --root-fd N --archive-fd M [--progress-fd P]";
  if (words.empty() || words[0] != "extract" || words.size() % 2 == 0) throw Error(usage);
  Options options;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const auto fd = parse_unsigned(words[i + 1]);
    bool known = false;
    for (const auto& row : kOptions) {
      if (row.name != words[i] || !fd || *fd > 1U << 20) continue;
      options.*row.fd = static_cast<int>(*fd);
      known = true;
    }
    if (!known) throw Error(formatted("bad option '{} {}'", words[i], words[i + 1]), 0, usage);
  }
  if (options.root_fd < 0 || options.archive_fd < 0) throw Error(usage);
  return options;
}

// Tells the parent, or a person at standard error when there is no --progress-fd.
class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  void progress(const HelperProgress& progress) const {
    if (fd_ >= 0) write_fd(fd_, progress_line(progress), "progress");
  }
  // An archive can be full of things to warn about; only the first ones are of interest.
  void warning(const std::string& text) {
    ++warnings_;
    if (warnings_ <= kWarningLimit) send(warning_line(text), "warning: " + text);
  }
  void end_warnings() {
    if (warnings_ <= kWarningLimit) return;
    const std::string text = formatted("{} more warnings", warnings_ - kWarningLimit);
    send(warning_line(text), "warning: " + text);
  }
  void failure(const Error& error) const {
    send(failure_line(error), formatted("hutch-archive: {}", error.what()));
  }

 private:
  void send(const std::string& line, const std::string& text) const {
    if (fd_ >= 0) {
      write_fd(fd_, line, "progress");
    } else {
      write_fd(STDERR_FILENO, text + "\n", "standard error");
    }
  }

  int fd_;
  std::uint64_t warnings_ = 0;
};

// user_namespaces(7): the initial namespace maps every id to itself.
bool in_user_namespace() {
  const std::string map = read_file(AT_FDCWD, "/proc/self/uid_map");
  return split_blanks(map) != std::vector<std::string_view>{"0", "0", "4294967295"};
}

void run(const Options& options, Reporter& reporter) {
  close_other_fds({options.root_fd, options.archive_fd, options.progress_fd});
  ::umask(0);
  load_charset_tables();
  ExtractJob job{.archive_fd = options.archive_fd,
                 .root_fd = options.root_fd,
                 .ids = IdCoverage::of_this_process(),
                 .in_user_namespace = in_user_namespace(),
                 .warn = [&](const std::string& text) { reporter.warning(text); },
                 .progress =
                     [&](std::uint64_t consumed, std::uint64_t members, std::uint64_t unpacked) {
                       reporter.progress({consumed, members, unpacked});
                     }};
  confine_to(options.root_fd);
  extract(job);
  reporter.end_warnings();
}

}  // namespace
}  // namespace hutch

namespace {

int run_program(const std::vector<std::string_view>& words) {
  int progress_fd = -1;
  try {
    const auto options = hutch::parse_options(words);
    progress_fd = options.progress_fd;
    hutch::Reporter reporter(progress_fd);
    hutch::run(options, reporter);
    return 0;
  } catch (const std::exception& failed) {
    const auto* error = dynamic_cast<const hutch::Error*>(&failed);
    try {
      hutch::Reporter(progress_fd).failure(error != nullptr ? *error : hutch::Error(failed.what()));
    } catch (const std::exception&) {
      return 2;  // nobody listens any more
    }
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A parent that went away is reported by write(2).
  ::signal(SIGPIPE, SIG_IGN);
  // Nothing is buffered, and exit handlers (LeakSanitizer's) would want the host's /proc.
  ::_exit(run_program({argv + 1, argv + argc}));
}
