#include "cli/lowering_context.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/config_store.h"
#include "cli/container_file.h"
#include "config/value_types.h"
#include "storage/dir_storage.h"
#include "storage/storage_config.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

config::ResolvedVolume resolve(const StorageConfig& storages, const Sysroot& sysroot,
                               const std::string& text) {
  const VolumeId id = parse_volume_id(text);
  const FileVolume volume = parse_file_volume(id);
  config::ResolvedVolume resolved;
  switch (volume.format) {
    case VolumeFormat::subvol: resolved.kind = VolumeSpec::Kind::directory; break;
    case VolumeFormat::raw: resolved.kind = VolumeSpec::Kind::image; break;
    default:
      throw Error(formatted("volume '{}' has format '{}'", text, format_name(volume.format)), 0,
                  "containers use raw images and subvol directories");
  }
  resolved.path = DirStorage(storages.dir_for(id.storage, "rootdir"), sysroot).path_of(id);
  resolved.immutable = volume.kind == VolumeKind::base_image;
  return resolved;
}

config::HostFile file_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return config::HostFile::missing;
    throw_errno(formatted("cannot look at '{}'", path));
  }
  if (S_ISDIR(status.st_mode)) return config::HostFile::directory;
  if (S_ISREG(status.st_mode)) return config::HostFile::regular;
  return S_ISBLK(status.st_mode) ? config::HostFile::block_device : config::HostFile::other;
}

std::optional<std::uint32_t> find_container(const Sysroot& sysroot, const std::string& name) {
  const ConfigStore store(sysroot);
  if (const auto vmid = config::parse_vmid(name)) {
    return store.exists(*vmid) ? vmid : std::nullopt;
  }
  std::optional<std::uint32_t> found;
  for (const auto vmid : store.list()) {
    const auto text = store.read_if_exists(vmid);
    if (!text) continue;  // destroyed since they were listed
    config::Diagnostics ignored;
    const auto config = config::read_config(*text, store.display_path(vmid), vmid, ignored);
    if (container_name(config) != name) continue;
    if (found) {
      throw Error(formatted("CT {} and CT {} are both named '{}'", *found, vmid, name), 0, "use the vmid");
    }
    found = vmid;
  }
  return found;
}

// The line of the cgroup2 tree in /proc/self/cgroup is "0::/path" (cgroups(7)).
std::string own_cgroup() {
  constexpr std::string_view kUnified = "0::/";
  const std::string groups = read_file(AT_FDCWD, "/proc/self/cgroup");
  for (const auto line : split(groups, '\n')) {
    if (line.starts_with(kUnified)) return std::string(line.substr(kUnified.size()));
  }
  throw Error("this process is in no group of the cgroup2 tree", ENOENT);
}

std::string snippet(const StorageConfig& storages, const Sysroot& sysroot, const std::string& text) {
  const VolumeId id = parse_volume_id(text);
  if (parse_file_volume(id).kind != VolumeKind::snippet) {
    throw Error(formatted("volume '{}' is no snippet", text), 0, "give it as <storage>:snippets/<file>");
  }
  std::string path = DirStorage(storages.dir_for(id.storage, "snippets"), sysroot).path_of(id);
  if (::access(path.c_str(), X_OK) < 0) throw_errno(formatted("cannot execute the script '{}'", path));
  return path;
}

}  // namespace

config::HostDevice host_device(const std::string& path) {
  struct stat status {};
  check(::stat(path.c_str(), &status), formatted("cannot find the device '{}'", path));
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw Error(formatted("'{}' is no device", path), 0, "name a character or block device");
  }
  return {S_ISBLK(status.st_mode) ? 'b' : 'c', major(status.st_rdev), minor(status.st_rdev)};
}

std::optional<std::vector<std::string>> directory_names(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return list_directory(path);
}

config::LoweringContext make_lowering_context(const Sysroot& sysroot, std::uint32_t vmid) {
  config::LoweringContext context;
  context.vmid = vmid;
  const auto storages = std::make_shared<std::optional<StorageConfig>>();
  context.resolve_volume = [sysroot, storages](const std::string& volume_id) {
    if (!*storages) *storages = StorageConfig::load(sysroot);
    return resolve(**storages, sysroot, volume_id);
  };
  context.resolve_snippet = [sysroot, storages](const std::string& volume_id) {
    if (!*storages) *storages = StorageConfig::load(sysroot);
    return snippet(**storages, sysroot, volume_id);
  };
  context.starter_environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  context.device_at = host_device;
  context.file_at = file_at;
  context.container_named = [sysroot](const std::string& name) { return find_container(sysroot, name); };
  context.own_cgroup = own_cgroup;
  context.read_file = read_regular_file;
  context.list_directory = directory_names;
  return context;
}

}  // namespace hutch::cli
