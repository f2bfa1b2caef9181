#include "runtime/overlay.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/mount.h"
#include "base/text.h"

namespace hutch {

namespace {

// Layers are separated by colons, and a backslash makes the next character an ordinary one.
std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

// One that is there already is left as it is.
void make_layer(int parent, const std::string& name, const std::string& path, mode_t mode,
                const Owner& owner) {
  if (::mkdirat(parent, name.c_str(), 0755) < 0) {
    if (errno == EEXIST) return;
    throw_errno(formatted("cannot create the overlay's directory '{}'", path));
  }
  const UniqueFd made = open_file(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  check(::fchown(made.get(), owner.uid, owner.gid), formatted("cannot change the owner of '{}'", path));
  check(::fchmod(made.get(), mode), formatted("cannot change the mode of '{}'", path));
}

void make_layer(const std::string& path, mode_t mode, const Owner& owner) {
  const auto slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  make_directories(parent);
  const UniqueFd directory = open_file(AT_FDCWD, parent, O_PATH | O_DIRECTORY);
  make_layer(directory.get(), path.substr(slash + 1), path, mode, owner);
}

// A layer can lie in another one, where the container writes: below `directory` no part of `path` may be a
// symlink.
void make_layer_below(const std::string& directory, const std::string& path, const Owner& owner) {
  make_directories(directory);
  UniqueFd parent = open_file(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
  std::string done = directory;
  std::vector<std::string> names;
  for (const auto part : split(std::string_view(path).substr(directory.size()), '/')) {
    if (!part.empty() && part != ".") names.emplace_back(part);
  }
  for (const auto& name : names) {
    done += "/" + name;
    if (&name == &names.back()) {
      make_layer(parent.get(), name, done, 0755, owner);
    } else if (::mkdirat(parent.get(), name.c_str(), 0755) < 0 && errno != EEXIST) {
      throw_errno(formatted("cannot create directory '{}'", done));
    }
    try {
      parent = open_file(parent.get(), name, O_PATH | O_DIRECTORY, 0, Resolve::no_symlinks);
    } catch (const Error& error) {
      throw error.with_context(formatted("cannot use '{}' for an overlay", done));
    }
  }
}

// Id-mapped clones of lower layers, one on top of the other at the stage, where overlayfs finds them; it
// keeps clones of its own.
class MappedLayers {
 public:
  MappedLayers(std::string stage, int id_map_fd) : stage_(std::move(stage)), id_map_fd_(id_map_fd) {}
  MappedLayers(const MappedLayers&) = delete;
  MappedLayers& operator=(const MappedLayers&) = delete;
  ~MappedLayers() {
    // On failure they go with the private mount namespace.
    while (count_-- > 0) ::umount2(stage_.c_str(), MNT_DETACH);
  }

  // A path of the mapped layer.
  std::string add(const std::string& directory) {
    UniqueFd layer = clone_mount(AT_FDCWD, directory, false);
    set_mount_id_map(layer.get(), id_map_fd_, false);
    attach_mount(layer.get(), AT_FDCWD, stage_);
    ++count_;
    std::string path = formatted("/proc/self/fd/{}", layer.get());
    layers_.push_back(std::move(layer));
    return path;
  }

 private:
  std::string stage_;
  int id_map_fd_;
  int count_ = 0;
  std::vector<UniqueFd> layers_;
};

bool is_below(const std::string& path, const std::string& directory) {
  if (!path.starts_with(directory + "/")) return false;
  const auto parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

}  // namespace

UniqueFd mount_overlay(const VolumeSpec& volume, int id_map_fd, const std::string& stage,
                       const Owner& inner_root) {
  struct stat top {};
  check(::stat(volume.lower.front().c_str(), &top),
        formatted("cannot look at the overlay's lower directory '{}'", volume.lower.front()));
  make_layer(volume.source, top.st_mode & 07777, inner_root);
  make_layer(volume.work, 0755, inner_root);
  MappedLayers mapped(stage, id_map_fd);
  std::string lower;
  for (const auto& directory : volume.lower) {
    if (!lower.empty()) lower += ':';
    lower += id_map_fd >= 0 ? mapped.add(directory) : escaped(directory);
  }
  FsOptions options = {{"source", "overlay"},
                       {"lowerdir", lower},
                       {"upperdir", escaped(volume.source)},
                       {"workdir", escaped(volume.work)}};
  options.insert(options.end(), volume.fs_options.begin(), volume.fs_options.end());
  return new_filesystem("overlay", options,
                        volume.mount_attributes | (volume.read_only ? MOUNT_ATTR_RDONLY : 0U));
}

UniqueFd mount_overlay_entry(const MountSpec& mount, const std::string& container_directory,
                             const Owner& inner_root) {
  FsOptions options = {{"source", mount.source.empty() ? "overlay" : mount.source}};
  for (const auto& [key, value] : mount.fs_options) {
    const bool ours = (key == "upperdir" || key == "workdir") && is_below(value, container_directory) &&
                      !is_below(value, container_directory + "/rootfs");
    if (ours) make_layer_below(container_directory, value, inner_root);
    options.emplace_back(key, value);
  }
  return new_filesystem(mount.type, options, mount.attributes_set);
}

}  // namespace hutch
