#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "runtime/container_spec.h"

// The log that a container's config asks for (`lxc.log.*`), beside what commands print.
namespace hutch {

enum class LogLevel : std::uint8_t { trace, debug, info, notice, warn, error, crit, alert, fatal };

// "TRACE", ..., "FATAL"; also what hooks find in LXC_LOG_LEVEL.
const char* log_level_name(unsigned level);

// One line in LXC's format, with its newline:
//   lxc 100 20260102030405.678 ERROR    start - host_steps.cc:perform:12 - what went wrong
// `time` is in milliseconds since 1970, shown as UTC. Line breaks in the message become blanks.
std::string log_line(std::string_view container, std::int64_t time, LogLevel level, std::string_view category,
                     const std::source_location& place, std::string_view message);

class ContainerLog {
 public:
  // Writes nowhere.
  ContainerLog() = default;
  // Opens the file, appending, 0640 when it is made. Throws with the config line.
  ContainerLog(const LogSpec& spec, std::uint32_t vmid);

  bool on() const { return spec_.on(); }
  bool takes(LogLevel level) const;
  // Never throws: a log that cannot be written is no reason to stop. `category` is "start" or "stop".
  void write(LogLevel level, std::string_view category, std::string_view message,
             const std::source_location& place = std::source_location::current()) const noexcept;

 private:
  LogSpec spec_;
  std::string container_;
  UniqueFd file_;
};

}  // namespace hutch
