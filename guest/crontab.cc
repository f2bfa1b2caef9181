#include "guest/crontab.h"

#include <sys/random.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

constexpr unsigned kLastMinute = 58;

bool is_crontab_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// The kernel's random numbers, for <random>'s distributions.
struct KernelRandom {
  using result_type = std::uint32_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return UINT32_MAX; }
  result_type operator()() const {
    result_type number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) throw_errno("cannot get random bytes");
    return number;
  }
};

}  // namespace

std::string randomize_minutes(std::string_view crontab, const std::function<unsigned()>& next_minute) {
  constexpr std::size_t kUser = 5;  // minute, hour, day of month, month, day of week, user
  std::string text;
  for (const auto line : split(crontab, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() <= kUser + 1 || !parse_unsigned(words[0]) || words[kUser] != "root") {
      text.append(line).append("\n");
      continue;
    }
    const auto at = static_cast<std::size_t>(words[0].data() - line.data());
    text.append(line.substr(0, at)).append(std::to_string(next_minute()));
    text.append(line.substr(at + words[0].size())).append("\n");
  }
  text.pop_back();  // split gives one part more than there are newlines
  return text;
}

void randomize_crontabs(const GuestRoot& root) {
  KernelRandom source;
  std::uniform_int_distribution<unsigned> minutes(0, kLastMinute);
  const auto randomize = [&](const std::string& path) {
    if (const auto content = root.read(path)) {
      const auto changed = randomize_minutes(*content, [&] { return minutes(source); });
      if (changed != *content) root.write(path, changed);
    }
  };
  randomize("/etc/crontab");
  for (const auto& name : root.list("/etc/cron.d")) {
    if (is_crontab_name(name)) randomize("/etc/cron.d/" + name);
  }
}

}  // namespace hutch::guest
