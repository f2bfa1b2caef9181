#include "storage/storage_config.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "storage/volume_id.h"

namespace hutch {

namespace {

constexpr std::string_view kLocal = "local";
constexpr std::string_view kLocalPath = "/var/lib/vz";

// Types that PVE knows; only dir can be used here, sections of the others are kept untouched.
constexpr std::array<std::string_view, 15> kTypes{"dir",   "zfspool",     "lvm",    "lvmthin", "btrfs",
                                                  "nfs",   "cifs",        "cephfs", "rbd",     "zfs",
                                                  "iscsi", "iscsidirect", "pbs",    "esxi",    "glusterfs"};

struct ContentDirectory {
  std::string_view content;
  std::string_view directory;
};
constexpr std::array kContentDirectories{
    ContentDirectory{"images", "images"},         ContentDirectory{"rootdir", "private"},
    ContentDirectory{"vztmpl", "template/cache"}, ContentDirectory{"iso", "template/iso"},
    ContentDirectory{"backup", "dump"},           ContentDirectory{"snippets", "snippets"},
    ContentDirectory{"import", "import"},
};

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower.empty() || lower == "1" || lower == "on" || lower == "yes" || lower == "true") return true;
  if (lower == "0" || lower == "off" || lower == "no" || lower == "false") return false;
  return std::nullopt;
}

bool is_boolean(std::string_view value) {
  return parse_boolean(value).has_value();
}
bool is_anything(std::string_view value) {
  return !value.empty();
}
bool is_integer(std::string_view value) {
  return parse_signed(value).has_value();
}

bool is_path(std::string_view value) {
  if (value.empty() || value.front() != '/') return false;
  if (std::any_of(value.begin(), value.end(), [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-/_.@").find(c) != std::string_view::npos);
      })) {
    return false;
  }
  const auto parts = split(value, '/');
  return std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part == ".."; });
}

bool is_boolean_or_path(std::string_view value) {
  return is_boolean(value) || is_path(value);
}

std::vector<std::string> split_list(std::string_view text) {
  std::string blanked(text);
  std::replace_if(
      blanked.begin(), blanked.end(), [](char c) { return c == ',' || c == ';'; }, ' ');
  std::vector<std::string> parts;
  for (const auto part : split_blanks(blanked)) parts.emplace_back(part);
  return parts;
}

bool is_content_list(std::string_view value) {
  const auto parts = split_list(value);
  return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part == "none" || std::any_of(kContentDirectories.begin(), kContentDirectories.end(),
                                         [&](const ContentDirectory& row) { return part == row.content; });
  });
}

// "vtype=relative/path,...". The directories may not lead out of the storage.
std::optional<std::map<std::string, std::string>> parse_content_directories(std::string_view value) {
  std::map<std::string, std::string> directories;
  for (const auto& entry : split_list(value)) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string content = entry.substr(0, equals);
    const std::string_view directory = trim(std::string_view(entry).substr(equals + 1));
    if (!is_content_list(content) || !is_path("/" + std::string(directory)) || directory.starts_with('/')) {
      return std::nullopt;
    }
    directories[content] = directory;
  }
  return directories;
}

bool is_content_directories(std::string_view value) {
  return parse_content_directories(value).has_value();
}

bool is_preallocation(std::string_view value) {
  return value == "off" || value == "metadata" || value == "falloc" || value == "full";
}

struct KeyRow {
  std::string_view key;
  bool (*valid)(std::string_view);
  bool required = false;
};
constexpr std::array kDirKeys{
    KeyRow{"path", is_path, true},
    KeyRow{"content", is_content_list},
    KeyRow{"disable", is_boolean},
    KeyRow{"nodes", is_anything},
    KeyRow{"shared", is_boolean},
    KeyRow{"prune-backups", is_anything},
    KeyRow{"max-protected-backups", is_integer},
    KeyRow{"bwlimit", is_anything},
    KeyRow{"format", is_anything},
    KeyRow{"preallocation", is_preallocation},
    KeyRow{"content-dirs", is_content_directories},
    KeyRow{"mkdir", is_boolean},
    KeyRow{"create-base-path", is_boolean},
    KeyRow{"create-subdirs", is_boolean},
    KeyRow{"is_mountpoint", is_boolean_or_path},
    KeyRow{"snapshot-as-volume-chain", is_boolean},
};

const KeyRow* find_key(std::string_view key) {
  const auto* const row =
      std::find_if(kDirKeys.begin(), kDirKeys.end(), [&](const KeyRow& r) { return r.key == key; });
  return row == kDirKeys.end() ? nullptr : row;
}

// The last value of `key` that is valid for a directory storage; nothing when there is none.
const std::string* value_of(const StorageSection& section, std::string_view key) {
  const KeyRow* row = find_key(key);
  const std::string* found = nullptr;
  for (const auto& [name, value] : section.properties) {
    if (name == key && row != nullptr && row->valid(value.value)) found = &value.value;
  }
  return found;
}

bool flag_of(const StorageSection& section, std::string_view key, bool unset) {
  const std::string* value = value_of(section, key);
  return value == nullptr ? unset : parse_boolean(*value).value_or(unset);
}

StorageSection default_local() {
  StorageSection section{"dir", std::string(kLocal), {}, {}, {"default", 0}};
  const auto add = [&](const char* key, const char* value) {
    section.properties.emplace_back(key, Located<std::string>{value, section.origin});
  };
  add("path", "/var/lib/vz");
  add("content", "backup,images,iso,rootdir,snippets,vztmpl");
  add("prune-backups", "keep-all=1");
  return section;
}

std::string node_name() {
  char name[HOST_NAME_MAX + 1] = {};
  check(::gethostname(name, sizeof name - 1), "cannot read the host's name");
  const std::string_view text(name);
  return std::string(text.substr(0, text.find('.')));
}

bool on_this_node(const StorageSection& section) {
  const std::string* nodes = value_of(section, "nodes");
  if (nodes == nullptr) return true;
  const auto list = split_list(*nodes);
  return std::find(list.begin(), list.end(), node_name()) != list.end();
}

// Reads the file line by line into sections; keeps everything, warns about what nobody will use.
class Reader {
 public:
  Reader(const std::string& source, const WarningSink& sink) : source_(source), sink_(sink) {}

  void read_line(std::string_view raw) {
    ++line_;
    const std::string_view line = trim(raw);
    if (line.empty()) {
      open_ = false;
    } else if (line.front() == '#') {
      // Inside a section it stays with that section, otherwise it belongs to what follows.
      (open_ ? sections.back().comments : comments).emplace_back(line);
    } else if (is_blank(raw.front())) {
      read_property(line);
    } else {
      read_header(line);
    }
  }

  std::vector<StorageSection> sections;
  std::vector<std::string> comments;

 private:
  void warn(const std::string& text) const {
    if (sink_) sink_(formatted("{}:{}: {}", source_, line_, text));
  }

  void read_header(std::string_view line) {
    const auto colon = line.find(':');
    const std::string type(trim(line.substr(0, colon)));
    const std::string id(colon == std::string_view::npos ? "" : trim(line.substr(colon + 1)));
    if (type.empty() || !is_storage_id(id)) {
      warn(formatted("ignored: '{}' is no section header '<type>: <storage id>'", line));
      comments.push_back(formatted("# {}", line));
      open_ = false;
      return;
    }
    if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
      warn(formatted("storage '{}' is ignored: unknown type '{}'", id, type));
    }
    const auto same =
        std::find_if(sections.begin(), sections.end(), [&](const auto& s) { return s.id == id; });
    if (same != sections.end()) {
      warn(formatted("storage '{}' was defined in line {} already, the first one is used", id,
                     same->origin.line));
    }
    sections.push_back({type, id, std::move(comments), {}, {source_, line_}});
    comments.clear();
    open_ = true;
  }

  void read_property(std::string_view line) {
    if (!open_) {
      warn(formatted("ignored: '{}' belongs to no section", line));
      comments.push_back(formatted("# {}", line));
      return;
    }
    const auto blank = std::find_if(line.begin(), line.end(), is_blank);
    const auto length = static_cast<std::size_t>(blank - line.begin());
    const std::string key(line.substr(0, length));
    const std::string value(trim(line.substr(length)));
    StorageSection& section = sections.back();
    section.properties.emplace_back(key, Located<std::string>{value, {source_, line_}});
    if (section.type != "dir") return;
    const KeyRow* row = find_key(key);
    if (row == nullptr) {
      warn(formatted("storage '{}': unknown key '{}' is ignored", section.id, key));
    } else if (!row->valid(value)) {
      warn(formatted("storage '{}': '{}' is no valid value of '{}' and is ignored", section.id, value, key));
    }
  }

  const std::string& source_;
  const WarningSink& sink_;
  int line_ = 0;
  bool open_ = false;
};

// `disable` first, then required keys, then the others sorted; equal keys keep their order.
int print_rank(std::string_view type, std::string_view key) {
  if (key == "disable") return 0;
  const KeyRow* row = type == "dir" ? find_key(key) : nullptr;
  return row != nullptr && row->required ? 1 : 2;
}

}  // namespace

bool DirStorageSettings::supports(std::string_view content_type) const {
  return std::find(content.begin(), content.end(), content_type) != content.end();
}

StorageConfig StorageConfig::load(const Sysroot& sysroot, const WarningSink& warn) {
  const std::string path = sysroot.path("etc/pve/storage.cfg");
  return parse(read_file_if_exists(AT_FDCWD, path).value_or(""), path, sysroot, warn);
}

StorageConfig StorageConfig::parse(std::string_view text, const std::string& source, const Sysroot& sysroot,
                                   const WarningSink& warn) {
  Reader reader(source, warn);
  for (const auto line : split(text, '\n')) reader.read_line(line);
  StorageConfig config;
  config.sections_ = std::move(reader.sections);
  config.trailing_comments_ = std::move(reader.comments);
  config.local_path_ = sysroot.path(kLocalPath.substr(1));
  const auto local = std::find_if(config.sections_.begin(), config.sections_.end(),
                                  [](const auto& section) { return section.id == kLocal; });
  if (local == config.sections_.end()) {
    config.sections_.insert(config.sections_.begin(), default_local());
    return config;
  }
  const std::string* path = local->type == "dir" ? value_of(*local, "path") : nullptr;
  if (path == nullptr || *path != kLocalPath) {
    if (warn) {
      warn(formatted("{}: storage 'local' must have type dir and path {}, its defaults are used",
                     local->origin.text(), kLocalPath));
    }
    auto comments = std::move(local->comments);
    *local = default_local();
    local->comments = std::move(comments);
  }
  return config;
}

const StorageSection* StorageConfig::find(std::string_view id) const {
  for (const auto& section : sections_) {
    if (section.id == id) return &section;
  }
  return nullptr;
}

DirStorageSettings StorageConfig::dir(std::string_view id) const {
  const StorageSection* section = find(id);
  if (section == nullptr) {
    std::vector<std::string> known;
    for (const auto& other : sections_) known.push_back(other.id);
    throw Error(formatted("storage '{}' does not exist", id), 0,
                formatted("known storages: {}", join(known, ", ")));
  }
  if (section->type != "dir") {
    throw Error(formatted("storage '{}' has type '{}'", id, section->type), 0,
                "only storages of type 'dir' can be used", section->origin);
  }
  if (flag_of(*section, "disable", false)) {
    throw Error(formatted("storage '{}' is disabled", id), 0, "remove 'disable' from its section",
                section->origin);
  }
  if (!on_this_node(*section)) {
    throw Error(formatted("storage '{}' is not available on node '{}'", id, node_name()), 0, {},
                section->origin);
  }
  const std::string* path = value_of(*section, "path");
  if (path == nullptr) {
    throw Error(formatted("storage '{}' has no valid 'path'", id), 0, "add an absolute path",
                section->origin);
  }
  DirStorageSettings settings;
  settings.id = id;
  settings.origin = section->origin;
  settings.path = id == kLocal ? local_path_ : *path;
  while (settings.path.size() > 1 && settings.path.back() == '/') settings.path.pop_back();
  const std::string* content = value_of(*section, "content");
  settings.content = split_list(content == nullptr ? "images,rootdir" : *content);
  for (const auto& row : kContentDirectories) settings.dirs[std::string(row.content)] = row.directory;
  if (const std::string* dirs = value_of(*section, "content-dirs")) {
    const auto overrides = parse_content_directories(*dirs);
    if (overrides) {
      for (const auto& [type, directory] : *overrides) settings.dirs[type] = directory;
    }
  }
  const bool make = flag_of(*section, "mkdir", true);
  settings.create_base_path = flag_of(*section, "create-base-path", make);
  settings.create_subdirs = flag_of(*section, "create-subdirs", make);
  if (const std::string* mountpoint = value_of(*section, "is_mountpoint")) {
    const auto flag = parse_boolean(*mountpoint);
    if (!flag) settings.mountpoint = *mountpoint;
    if (flag == true) settings.mountpoint = settings.path;
  }
  if (const std::string* preallocation = value_of(*section, "preallocation"))
    settings.preallocation = *preallocation;
  return settings;
}

DirStorageSettings StorageConfig::dir_for(std::string_view id, std::string_view content_type) const {
  DirStorageSettings settings = dir(id);
  if (!settings.supports(content_type)) {
    throw Error(formatted("storage '{}' does not support content '{}'", id, content_type), 0,
                formatted("its content is: {}", join(settings.content, ", ")), settings.origin);
  }
  return settings;
}

std::vector<std::string> StorageConfig::enabled_dirs() const {
  std::vector<std::string> ids;
  for (const auto& section : sections_) {
    if (find(section.id) != &section || section.type != "dir" || flag_of(section, "disable", false)) continue;
    if (value_of(section, "path") != nullptr && on_this_node(section)) ids.push_back(section.id);
  }
  return ids;
}

std::string StorageConfig::text() const {
  std::string text;
  for (const auto& section : sections_) {
    for (const auto& comment : section.comments) text += comment + "\n";
    text += formatted("{}: {}\n", section.type, section.id);
    auto properties = section.properties;
    std::stable_sort(properties.begin(), properties.end(), [&](const auto& a, const auto& b) {
      const int left = print_rank(section.type, a.first);
      const int right = print_rank(section.type, b.first);
      return left != right ? left < right : a.first < b.first;
    });
    for (const auto& [key, value] : properties) {
      text += formatted("\t{}{}{}\n", key, value.value.empty() ? "" : " ", value.value);
    }
    text += "\n";
  }
  for (const auto& comment : trailing_comments_) text += comment + "\n";
  return text;
}

void StorageConfig::save(const Sysroot& sysroot) const {
  make_directories(sysroot.path("etc/pve"));
  replace_file(AT_FDCWD, sysroot.path("etc/pve/storage.cfg"), text(), 0640);
}

}  // namespace hutch
