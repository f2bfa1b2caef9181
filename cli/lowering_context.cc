#include "cli/lowering_context.h"

#include <fcntl.h>
#include <sys/stat.h>

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

}  // namespace

std::optional<std::vector<std::string>> directory_names(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return list_directory(path);
}

config::LoweringContext make_lowering_context(const Sysroot& sysroot, std::uint32_t vmid) {
  config::LoweringContext context;
  context.vmid = vmid;
  context.resolve_volume =
      [sysroot, storages = std::make_shared<std::optional<StorageConfig>>()](const std::string& volume_id) {
        if (!*storages) *storages = StorageConfig::load(sysroot);
        return resolve(**storages, sysroot, volume_id);
      };
  context.read_file = [](const std::string& path) { return read_file(AT_FDCWD, path); };
  context.list_directory = directory_names;
  return context;
}

}  // namespace hutch::cli
