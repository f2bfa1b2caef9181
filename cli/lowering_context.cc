#include "cli/lowering_context.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
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
  context.read_file = [](const std::string& path) { return read_file(AT_FDCWD, path); };
  return context;
}

}  // namespace hutch::cli
