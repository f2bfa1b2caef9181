#include "cgroupv2/statistics.h"

#include <fcntl.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cgroupv2 {

namespace {

// A file's text; nothing when this kernel does not count it: no such file, or PSI is switched off
// (EOPNOTSUPP, on open or on read).
std::optional<std::string> read_counter(const std::string& path) {
  try {
    return read_file_if_exists(AT_FDCWD, path);
  } catch (const Error& error) {
    if (error.error_number() == EOPNOTSUPP) return std::nullopt;
    throw;
  }
}

[[noreturn]] void refuse(const std::string& path, std::string_view text) {
  throw Error(formatted("cannot understand '{}' in '{}'", text, path));
}

std::uint64_t number(const std::string& path, std::string_view text) {
  const auto value = parse_unsigned(text);
  if (!value) refuse(path, text);
  return *value;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = read_counter(path);
  if (!text) return std::nullopt;
  return number(path, trim(*text));
}

// The value of a "key value" line.
std::optional<std::uint64_t> keyed(const std::string& path, std::string_view text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 2 && words[0] == key) return number(path, words[1]);
  }
  return std::nullopt;
}

// Usage without page cache; the two are read at different moments.
std::optional<std::uint64_t> used_memory(const std::string& usage_file, const std::string& stat_file,
                                         std::string_view cache_key) {
  const auto usage = read_number(usage_file);
  const auto stat = read_counter(stat_file);
  if (!usage || !stat) return std::nullopt;
  const std::uint64_t cache = keyed(stat_file, *stat, cache_key).value_or(0);
  return *usage > cache ? *usage - cache : 0;
}

void read_memory(const Layout& layout, const std::string& path, Statistics& result) {
  if (layout.has_v2("memory")) {
    const std::string group = layout.unified + "/" + path;
    result.memory_bytes = used_memory(group + "/memory.current", group + "/memory.stat", "file");
    result.swap_bytes = read_number(group + "/memory.swap.current");
    return;
  }
  const std::string hierarchy = layout.v1_hierarchy("memory");
  if (hierarchy.empty()) return;
  const std::string group = hierarchy + "/" + path;
  const std::string stat_file = group + "/memory.stat";
  result.memory_bytes = used_memory(group + "/memory.usage_in_bytes", stat_file, "total_cache");
  if (const auto stat = read_counter(stat_file)) result.swap_bytes = keyed(stat_file, *stat, "total_swap");
}

// io.stat: "8:0 rbytes=1 wbytes=2 rios=..." per device. A device line may carry no counters at all.
void read_io_v2(const std::string& file, Statistics& result) {
  const auto text = read_counter(file);
  if (!text) return;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  for (const auto word : split_blanks(*text)) {
    if (word.starts_with("rbytes=")) read += number(file, word.substr(7));
    if (word.starts_with("wbytes=")) written += number(file, word.substr(7));
  }
  result.io_read_bytes = read;
  result.io_written_bytes = written;
}

// blkio.throttle.io_service_bytes: "8:0 Read 1", "8:0 Write 2", ... per device, "Total 3" at the end.
void read_io_v1(const std::string& file, Statistics& result) {
  const auto text = read_counter(file);
  if (!text) return;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  for (const auto line : split(*text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() != 3) continue;
    if (words[1] == "Read") read += number(file, words[2]);
    if (words[1] == "Write") written += number(file, words[2]);
  }
  result.io_read_bytes = read;
  result.io_written_bytes = written;
}

// "some avg10=0.12 avg60=... total=..." and, except for older kernels' cpu.pressure, "full avg10=...".
std::optional<Pressure> read_pressure(const std::string& file) {
  constexpr std::string_view kKey = "avg10=";
  const auto text = read_counter(file);
  if (!text) return std::nullopt;
  Pressure pressure;
  for (const auto line : split(*text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() < 2) continue;
    if (!words[1].starts_with(kKey)) refuse(file, line);
    const auto share = parse_double(words[1].substr(kKey.size()));
    if (!share) refuse(file, line);
    if (words[0] == "some") pressure.some = *share;
    if (words[0] == "full") pressure.full = *share;
  }
  return pressure;
}

}  // namespace

Statistics read_statistics(const Layout& layout, const std::string& path) {
  Statistics result;
  read_memory(layout, path, result);
  if (layout.has_v2("io")) {
    read_io_v2(layout.unified + "/" + path + "/io.stat", result);
  } else if (const std::string hierarchy = layout.v1_hierarchy("blkio"); !hierarchy.empty()) {
    read_io_v1(hierarchy + "/" + path + "/blkio.throttle.io_service_bytes_recursive", result);
  }
  const std::string group = layout.unified + "/" + path;
  result.cpu = read_pressure(group + "/cpu.pressure");
  result.io = read_pressure(group + "/io.pressure");
  result.memory = read_pressure(group + "/memory.pressure");
  return result;
}

}  // namespace hutch::cgroupv2
