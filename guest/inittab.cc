#include "guest/inittab.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_ours(std::string_view line, InittabStyle style) {
  const auto fields = split(line, ':');
  const auto id = fields[0];
  const bool getty = fields.size() > 1 && line.substr(id.size()).find("getty") != std::string_view::npos;
  switch (style) {
    case InittabStyle::sysvinit:
    case InittabStyle::sysvinit_old: {
      static constexpr std::array<std::string_view, 4> kPower{"pf", "pn", "po", "p0"};
      if (fields.size() > 1 && std::find(kPower.begin(), kPower.end(), id) != kPower.end()) return true;
      return getty && is_number(id) && fields.size() > 2 && (fields[1].empty() || is_number(fields[1]));
    }
    case InittabStyle::busybox: return getty && id.starts_with("tty") && is_number(id.substr(3));
    case InittabStyle::agetty: return getty && is_number(id.starts_with('c') ? id.substr(1) : id);
  }
  return false;
}

std::string getty_line(InittabStyle style, int tty) {
  const char* levels = tty == 1 ? "2345" : "23";
  switch (style) {
    case InittabStyle::sysvinit:
      return formatted("{0}:{1}:respawn:/sbin/getty --noclear 38400 tty{0}\n", tty, levels);
    case InittabStyle::sysvinit_old:
      return formatted("{0}:{1}:respawn:/sbin/getty -L 38400 tty{0}\n", tty, levels);
    case InittabStyle::busybox: return formatted("tty{0}::respawn:/sbin/getty 38400 tty{0}\n", tty);
    case InittabStyle::agetty: return formatted("{0}::respawn:/sbin/agetty 38400 tty{0}\n", tty);
  }
  return "";
}

}  // namespace

std::string rewrite_inittab(std::string_view content, InittabStyle style, int tty_count) {
  std::string text;
  if (content.ends_with('\n')) content.remove_suffix(1);
  if (!content.empty()) {
    for (const auto line : split(content, '\n')) {
      if (!is_ours(line, style)) text.append(line).append("\n");
    }
  }
  if (style == InittabStyle::sysvinit || style == InittabStyle::sysvinit_old)
    text += "p0::powerfail:/sbin/init 0\n";
  for (int tty = 1; tty <= tty_count; ++tty) text += getty_line(style, tty);
  return text;
}

void write_inittab(const GuestRoot& root, InittabStyle style, int tty_count) {
  static const std::string kInittab = "/etc/inittab";
  const auto content = root.read(kInittab);
  if (content) root.write(kInittab, rewrite_inittab(*content, style, tty_count));
}

}  // namespace hutch::guest
