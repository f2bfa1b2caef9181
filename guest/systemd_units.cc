#include "guest/systemd_units.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

constexpr int kMostTtys = 6;

std::string unit_directory(const GuestRoot& root) {
  return root.is_executable("/lib/systemd/systemd") ? "/lib/systemd/system" : "/usr/lib/systemd/system";
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (auto at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    result.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

}  // namespace

void set_up_container_getty(const GuestRoot& root, int tty_count, const std::string& tty_directory) {
  static const std::string kWants = "/etc/systemd/system/getty.target.wants/";
  const std::string unit = unit_directory(root) + "/container-getty@.service";
  const auto content = root.read(unit);
  if (!content) return;
  const std::string device = tty_directory + "tty%I";
  // Both forms of the template meet here: one that already has the wanted form stays as it is.
  const std::string changed = replace_all(replace_all(*content, "pts/%I", "lxc/tty%I"), "lxc/tty%I", device);
  if (changed != *content) root.write(unit, changed);
  if (tty_count > 0) root.make_directories("/etc/systemd/system/getty.target.wants");
  for (int i = 1; i <= kMostTtys; ++i) {
    root.remove(formatted("{}getty@tty{}.service", kWants, i));
    const std::string link = formatted("{}container-getty@{}.service", kWants, i);
    if (i <= tty_count)
      root.symlink(unit, link);
    else
      root.remove(link);
  }
  root.remove("/etc/systemd/system/getty.target");
}

void write_presets(const GuestRoot& root, const Presets& more) {
  Presets presets = more;
  presets.insert({{"container-getty@.service", true},
                  {"getty@.service", false},
                  {"sys-kernel-config.mount", false},
                  {"sys-kernel-debug.mount", false}});
  std::string text =
      "# What this container needs at its first boot; written again by the host at every start.\n";
  for (const auto& [unit, enabled] : presets)
    text += formatted("{} {}\n", enabled ? "enable" : "disable", unit);
  root.make_directories("/etc/systemd/system-preset");
  root.write("/etc/systemd/system-preset/00-pve.preset", text);
}

void mask_kernel_units(const GuestRoot& root) {
  static const std::string kDirectory = "/etc/systemd/system";
  static const std::string kSystem = kDirectory + "/";
  root.make_directories(kDirectory);
  for (const auto* unit :
       {"sys-kernel-config.mount", "sys-kernel-debug.mount", "systemd-modules-load.service"}) {
    if (!root.is_regular(kSystem + unit)) root.symlink("/dev/null", kSystem + unit);
  }
}

void allow_root_on_ttys(const GuestRoot& root, const std::string& tty_directory, const std::string& more) {
  static const std::string kFile = "/etc/securetty";
  const auto content = root.read(kFile);
  if (!content) return;
  std::vector<std::string> wanted;
  for (const auto* name : {"console", "tty1", "tty2", "tty3", "tty4"}) wanted.push_back(tty_directory + name);
  if (!more.empty()) wanted.push_back(more);
  std::string text = *content;
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  const auto lines = split(*content, '\n');
  for (const auto& line : wanted) {
    const bool there =
        std::any_of(lines.begin(), lines.end(), [&](auto known) { return trim(known) == line; });
    if (!there) text += line + "\n";
  }
  if (text != *content) root.write(kFile, text);
}

}  // namespace hutch::guest
