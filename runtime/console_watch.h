#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/sysroot.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

// A console that is logged, kept or shown on a terminal needs a process that is allowed to be larger than a
// supervisor, and only such a container has one:
//   pct console-watch <vmid> <log file> <log size> <rotate>
// with the descriptors below. It ends when init has ended and the last output is written.
namespace hutch {

// The program's first word, which is not for people.
inline constexpr const char* kConsoleWatch = "console-watch";

// What a start opens before it makes anything, so that a wrong path fails it. Missing ones are -1.
struct ConsoleFiles {
  UniqueFd terminal;
  UniqueFd log;
};
// Throws with the config line: ENOTTY for a path that is no terminal.
ConsoleFiles open_console_files(const ConsoleSpec& spec);

// "<root>/run/hutch/100/console": the last output of the console while the container runs.
std::string console_buffer_path(const Sysroot& sysroot, std::uint32_t vmid);
// Its content, oldest first; throws ENOENT when the console is not kept.
std::string read_console_buffer(const Sysroot& sysroot, std::uint32_t vmid);

struct ConsoleWatchSetup {
  std::uint32_t vmid = 0;
  ConsoleSpec spec;
  int master = -1;  // of the console
  int init_pidfd = -1;
  int mounts = -1;  // the mount namespace to work in
  std::string buffer_path;
};
// Starts the process, as a child of this one, and gives its identity: none (pid 0) when it is done already,
// as init has ended. Throws also when the program could not be executed there.
ProcessIdentity start_console_watch(const ConsoleWatchSetup& setup, const ConsoleFiles& files);

// The process itself, with everything after its first word; gives its exit status.
int run_console_watch(const std::vector<std::string>& words);

// A log file of limited size. When it is full it is renamed to "<path>.1" (`rotate`), or emptied.
class ConsoleLogFile {
 public:
  // `limit` in bytes, 0: none. The descriptor is open for appending.
  ConsoleLogFile(UniqueFd file, std::string path, std::uint64_t limit, bool rotate);
  // Never lets the file grow over the limit. What cannot be written (a full disk) is lost.
  void write(std::string_view text) noexcept;

 private:
  UniqueFd file_;
  std::string path_;
  std::uint64_t limit_;
  bool rotate_;

  std::uint64_t room() const noexcept;
  void begin_anew() noexcept;
};

// The ring in the buffer's file: how much was ever written (8 bytes), then the last bytes of it.
class ConsoleRing {
 public:
  // Maps it whole. Throws.
  explicit ConsoleRing(int file);
  ~ConsoleRing();
  ConsoleRing(const ConsoleRing&) = delete;
  ConsoleRing& operator=(const ConsoleRing&) = delete;
  void write(std::string_view text) noexcept;
  std::string text() const;
  // The size of a file for so many bytes.
  static std::uint64_t file_size(std::uint64_t bytes);

 private:
  char* memory_ = nullptr;
  std::uint64_t size_ = 0;  // of the file
};

}  // namespace hutch
