#include "cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/format.h"

namespace hutch::cli {

namespace {

constexpr int kMinimumBar = 10;  // columns between the brackets
constexpr int kMaximumBar = 40;

std::string bar(double fraction, int columns) {
  const int filled = static_cast<int>(fraction * columns);
  std::string text = "[";
  text.append(static_cast<std::size_t>(filled), '#');
  text.append(static_cast<std::size_t>(columns - filled), '.');
  return text + "]";
}

}  // namespace

std::string format_bytes(double bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  // 1023.95 would be printed as "1024.0".
  while (unit + 1 < kUnits.size() && bytes >= (unit == 0 ? 1024.0 : 1023.95)) {
    bytes /= 1024;
    ++unit;
  }
  if (unit == 0) return formatted("{} B", static_cast<unsigned long long>(bytes));
  return formatted("{:.1f} {}", bytes, kUnits[unit]);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, 359999.0) + 0.999);
  const long long hours = whole / 3600;
  const long long minutes = whole / 60 % 60;
  if (hours > 0) return formatted("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return formatted("{}:{:02}", minutes, whole % 60);
}

std::string format_progress(const Progress& progress, int width) {
  const auto columns = static_cast<std::size_t>(std::max(width, 0));
  const double done = static_cast<double>(progress.done);
  const double rate = progress.seconds > 0 ? done / progress.seconds : 0;
  const bool known = progress.total > 0;
  const double fraction = known ? std::min(1.0, done / static_cast<double>(progress.total)) : 0;

  std::vector<std::string> parts;
  if (known) parts.push_back(formatted("{:3}%", static_cast<int>(fraction * 100)));
  parts.push_back(known ? format_bytes(done) + " / " + format_bytes(static_cast<double>(progress.total))
                        : format_bytes(done));
  if (rate > 0) parts.push_back(format_bytes(rate) + "/s");
  if (known && rate > 0) {
    parts.push_back(format_duration((static_cast<double>(progress.total) - done) / rate) + " left");
  }

  std::string line;
  std::size_t after_first = 0;
  for (const auto& part : parts) {
    const std::string separator = line.empty() ? "" : "  ";
    if (line.size() + separator.size() + part.size() > columns) break;
    line += separator + part;
    if (after_first == 0) after_first = line.size();
  }
  const auto spare =
      static_cast<int>(columns) - static_cast<int>(line.size()) - 3;  // a blank and the brackets
  if (known && spare >= kMinimumBar)
    line.insert(after_first, " " + bar(fraction, std::min(spare, kMaximumBar)));
  return line;
}

ProgressBar::ProgressBar(std::FILE* stream)
    : stream_(stream),
      terminal_(::fileno(stream) >= 0 && ::isatty(::fileno(stream)) == 1),
      start_(std::chrono::steady_clock::now()) {}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (last_ && now - *last_ < std::chrono::milliseconds(100) && done < total) return;
  last_ = now;
  winsize size{};
  // The last column stays free: writing into it makes some terminals wrap.
  const int width =
      ::ioctl(::fileno(stream_), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
  const std::string line =
      format_progress({done, total, std::chrono::duration<double>(now - start_).count()}, width);
  std::fprintf(stream_, "\r%s\033[K", line.c_str());
  std::fflush(stream_);
  shown_ = true;
}

void ProgressBar::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stream_);
  std::fflush(stream_);
  shown_ = false;
}

}  // namespace hutch::cli
