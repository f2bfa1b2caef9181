#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/origin.h"
#include "base/sysroot.h"

// /etc/pve/storage.cfg (pct-cli 4.1).
namespace hutch {

// Told about everything in the file that is skipped: "storage.cfg:7: ...".
using WarningSink = std::function<void(const std::string& text)>;

// One section, as it stands in the file. Nothing of it is lost on rewriting, understood or not.
struct StorageSection {
  std::string type;                   // "dir"
  std::string id;                     // "local"
  std::vector<std::string> comments;  // '#' lines above or inside the section, without newline
  std::vector<std::pair<std::string, Located<std::string>>> properties;  // in file order; "" value: bare key
  Origin origin;
};

// A directory storage, resolved: what the `dir` backend needs.
struct DirStorageSettings {
  std::string id;
  std::string path;                         // absolute host path, relocated below the sysroot for `local`
  std::vector<std::string> content;         // "images", "rootdir", ...
  std::map<std::string, std::string> dirs;  // content type -> directory below `path` (content-dirs)
  bool create_base_path = true;
  bool create_subdirs = true;
  std::string mountpoint;     // not empty: must be a mount point for the storage to be online
  std::string preallocation;  // "off", "metadata", "falloc", "full", or "" (unset)
  Origin origin;

  bool supports(std::string_view content_type) const;
};

class StorageConfig {
 public:
  // Reads <sysroot>/etc/pve/storage.cfg; a missing file is an empty one. Throws when it cannot be read.
  static StorageConfig load(const Sysroot& sysroot, const WarningSink& warn = {});
  // `source` names the text in messages. `local` is added, or replaced by its defaults where the text gives
  // it another type or path.
  static StorageConfig parse(std::string_view text, const std::string& source, const Sysroot& sysroot,
                             const WarningSink& warn = {});

  const std::vector<StorageSection>& sections() const { return sections_; }
  const StorageSection* find(std::string_view id) const;

  // The settings of directory storage `id`. Throws when it is unknown (the hint lists those that exist),
  // disabled, not for this node (`nodes`), of another type than dir, or lacks its path.
  DirStorageSettings dir(std::string_view id) const;
  // Same, and "storage 'x' does not support content 'rootdir'" when `content_type` is not enabled on it.
  DirStorageSettings dir_for(std::string_view id, std::string_view content_type) const;

  // The ids of all enabled directory storages of this node, in file order.
  std::vector<std::string> enabled_dirs() const;

  // The file's text: header, `disable`, required keys, then the others sorted, indented with one tab, an
  // empty line after each section.
  std::string text() const;
  // Replaces <sysroot>/etc/pve/storage.cfg (mode 0640).
  void save(const Sysroot& sysroot) const;

 private:
  std::vector<StorageSection> sections_;
  std::vector<std::string> trailing_comments_;
  std::string local_path_;  // the relocated /var/lib/vz
};

}  // namespace hutch
