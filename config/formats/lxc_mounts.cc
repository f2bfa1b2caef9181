#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/lxc_options.h"
#include "config/property_formats.h"

// lxc.mount.entry lines that bind a host directory as mp[n].
namespace hutch::config {

namespace {

// Words of an fstab line that a mount point says, too. `option` is one of `mountoptions`; "" is implied.
struct Word {
  std::string_view word;
  std::string_view option;
};
constexpr Word kWords[] = {{"bind", ""},         {"create=dir", ""},   {"defaults", ""},
                           {"rw", ""},           {"ro", ""},           {"nodev", "nodev"},
                           {"noexec", "noexec"}, {"nosuid", "nosuid"}, {"noatime", "noatime"}};

// Each is compared with each.
constexpr std::size_t kMaxEntries = 1000;

// What the runtime mounts itself hides mount points below it.
constexpr std::string_view kOwnTrees[] = {"dev", "proc", "sys"};

// "srv//data/" -> "srv/data"; nothing for "..".
std::optional<std::string> relative_path(std::string_view field) {
  std::string path;
  for (const auto part : split(field, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return std::nullopt;
    if (!path.empty()) path += '/';
    path += part;
  }
  if (path.empty()) return std::nullopt;
  return path;
}

bool overlaps(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return a == b || (b.starts_with(a) && b[a.size()] == '/');
}

// The target of a mount line; nothing when it cannot be told.
std::optional<std::string> target_of(const RawEntry& entry) {
  const auto fields = split_blanks(entry.value);
  if (fields.size() < 3) return std::nullopt;
  return relative_path(fields[1]);
}

// A read-only mount point does not keep it.
bool keeps_no_atime(const VolumeOption& option) {
  const auto& words = option.mount_options;
  return std::find(words.begin(), words.end(), "noatime") != words.end();
}

std::optional<VolumeOption> option_of(const RawEntry& entry, const std::string& target) {
  const auto fields = split_blanks(entry.value);
  // An absolute target is a path of the host; a blank in a path is written as an octal escape.
  if (fields.size() < 4 || fields[1].starts_with('/') || !fields[0].starts_with('/') ||
      fields[0].starts_with("/dev/") || entry.value.find('\\') != std::string::npos) {
    return std::nullopt;
  }
  VolumeOption option;
  option.volume = fields[0];
  option.mp = "/" + target;
  bool bind = false;
  bool create = false;
  for (const auto word : split(fields[3], ',')) {
    const auto* row =
        std::find_if(std::begin(kWords), std::end(kWords), [word](const Word& w) { return w.word == word; });
    if (row == std::end(kWords)) return std::nullopt;
    bind = bind || word == "bind";
    create = create || word == "create=dir";
    if (word == "ro") option.ro = true;
    if (word == "rw") option.ro.reset();
    if (!row->option.empty()) option.mount_options.emplace_back(row->option);
  }
  // A mount point's directory is made where it is missing.
  if (!bind || !create || (option.ro && keeps_no_atime(option))) return std::nullopt;
  try {
    if (parse_mount_point(print_mount_point(option)) != option) return std::nullopt;
  } catch (const Error&) {
    // Paths that the property string cannot hold.
    return std::nullopt;
  }
  return option;
}

}  // namespace

void mounts_to_options(LxcDraft& draft) {
  // Lines of a file come before all others, and are only read at the start.
  if (draft.has("lxc.mount.fstab")) return;
  std::vector<RawEntry> kept;
  std::vector<std::optional<std::string>> targets;
  for (const auto& entry : draft.entries) {
    if (entry.key == "lxc.mount.entry") targets.push_back(target_of(entry));
  }
  if (targets.size() > kMaxEntries) return;
  unsigned next = 0;
  std::size_t at = 0;
  for (const auto& entry : draft.entries) {
    if (entry.key != "lxc.mount.entry") {
      kept.push_back(entry);
      continue;
    }
    const std::size_t own = at++;
    const auto& target = targets[own];
    const bool in_the_way =
        !target || std::any_of(std::begin(kOwnTrees), std::end(kOwnTrees),
                               [&target](std::string_view tree) { return overlaps(tree, *target); });
    bool free = !in_the_way;
    for (std::size_t other = 0; free && other < targets.size(); ++other) {
      if (other != own) free = targets[other] && !overlaps(*targets[other], *target);
    }
    const auto option = free && next <= 255 ? option_of(entry, *target) : std::nullopt;
    if (!option) {
      kept.push_back(entry);
      continue;
    }
    draft.section.set(formatted("mp{}", next++), print_mount_point(*option), entry.origin);
  }
  draft.entries = std::move(kept);
}

}  // namespace hutch::config
