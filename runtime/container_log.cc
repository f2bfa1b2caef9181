#include "runtime/container_log.h"

#include <fcntl.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <exception>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch {

namespace {

constexpr std::array<const char*, 9> kNames = {"TRACE", "DEBUG", "INFO",  "NOTICE", "WARN",
                                               "ERROR", "CRIT",  "ALERT", "FATAL"};
// syslog(3)'s levels.
constexpr std::array<int, 9> kPriorities = {LOG_DEBUG, LOG_DEBUG, LOG_INFO,  LOG_NOTICE, LOG_WARNING,
                                            LOG_ERR,   LOG_CRIT,  LOG_ALERT, LOG_EMERG};

int facility_of(const std::string& name) {
  constexpr std::array<int, 8> kLocal = {LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                         LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
  if (!name.starts_with("local")) return LOG_DAEMON;
  return kLocal.at(static_cast<std::size_t>(name.back() - '0'));
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// "perform" of "void hutch::StartExecutor::perform(const hutch::host::RunHook&)".
std::string_view function_name(std::string_view signature) {
  signature = signature.substr(0, signature.find('('));
  const auto blank = signature.rfind(' ');
  if (blank != std::string_view::npos) signature.remove_prefix(blank + 1);
  const auto colons = signature.rfind("::");
  if (colons != std::string_view::npos) signature.remove_prefix(colons + 2);
  return signature;
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

const char* log_level_name(unsigned level) {
  return kNames.at(level);
}

std::string log_line(std::string_view container, std::int64_t time, LogLevel level, std::string_view category,
                     const std::source_location& place, std::string_view message) {
  const time_t seconds = time / 1000;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::string text(message);
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return formatted("lxc {} {:04}{:02}{:02}{:02}{:02}{:02}.{:03} {:<8} {} - {}:{}:{} - {}\n", container,
                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                   parts.tm_sec, time % 1000, kNames.at(static_cast<std::size_t>(level)), category,
                   file_name(place.file_name()), function_name(place.function_name()), place.line(), text);
}

ContainerLog::ContainerLog(const LogSpec& spec, std::uint32_t vmid)
    : spec_(spec), container_(std::to_string(vmid)) {
  if (spec.file.value.empty()) return;
  try {
    file_ = open_file(AT_FDCWD, spec.file.value, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0640);
  } catch (const Error& error) {
    throw error.with_context("cannot open the log").with_origin(spec.file.origin);
  }
}

bool ContainerLog::takes(LogLevel level) const {
  return (file_ || !spec_.syslog.empty()) && static_cast<unsigned>(level) >= spec_.level;
}

void ContainerLog::write(LogLevel level, std::string_view category, std::string_view message,
                         const std::source_location& place) const noexcept {
  if (!takes(level)) return;
  try {
    if (!spec_.syslog.empty()) {
      ::syslog(facility_of(spec_.syslog) | kPriorities.at(static_cast<std::size_t>(level)), "lxc %s: %.*s",
               container_.c_str(), static_cast<int>(message.size()), message.data());
    }
    if (file_) write_fd(file_.get(), log_line(container_, now(), level, category, place, message), "the log");
  } catch (const std::exception&) {
    // A full disk, say: the start goes on, and what goes wrong in it is printed as well.
    return;
  }
}

}  // namespace hutch
