#include "cli/container_volumes.h"

#include <sys/stat.h>

#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "storage/dir_storage.h"

namespace hutch::cli {

namespace {

// The id on disk of the container's id 0, by the volume's explicit map; nothing when it has no entry for it.
std::optional<std::uint32_t> mapped_root(const config::VolumeOption& volume, char type) {
  for (const auto& range : volume.idmap) {
    if (range.type == type && range.inside == 0 && range.count > 0) return range.disk;
  }
  return std::nullopt;
}

}  // namespace

IdMap id_map_of(const config::Section& options, std::uint32_t vmid) {
  config::ContainerConfig probe;
  probe.vmid = vmid;
  // Lowering wants these. A bind mount is not looked up.
  for (const auto& [key, value] :
       {std::pair("rootfs", "/"), std::pair("arch", "amd64"), std::pair("ostype", "unmanaged")}) {
    probe.main.set(key, value);
  }
  if (const auto unprivileged = options.get("unprivileged")) probe.main.set("unprivileged", *unprivileged);
  const config::LoweringContext context{
      .vmid = vmid, .read_file = read_regular_file, .list_directory = directory_names};
  for (const auto& entry : config::expanded_entries(options, context)) {
    if (entry.key == "lxc.idmap" || entry.key == "lxc.id_map") probe.main.raw.push_back(entry);
  }
  return config::lower(probe, context).spec.id_map;
}

Owner root_on_disk(const IdMap& id_map, const config::VolumeOption& volume) {
  if (volume.idmap_passthrough) return {};
  const auto uid = id_map.host_uid(0);
  const auto gid = id_map.host_gid(0);
  if (!uid || !gid) throw Error("the container's root has no host id", 0, "map the ids u 0 and g 0");
  if (id_map.empty()) return {};  // explicit maps do not count for privileged containers
  return {mapped_root(volume, 'u').value_or(*uid), mapped_root(volume, 'g').value_or(*gid)};
}

VolumeId allocate_volume(std::uint32_t vmid, const config::NewVolume& wanted, const Owner& root,
                         const StorageConfig& storages, const Sysroot& sysroot, UndoStack& undo) {
  const DirStorage storage(storages.dir_for(wanted.storage, "rootdir"), sysroot);
  storage.activate();
  VolumeId id = storage.allocate(vmid, wanted.bytes, root);
  undo.push("free volume " + id.text(), [storage, id] { storage.free(id); });
  return id;
}

ContainerVolumes::ContainerVolumes(Sysroot sysroot, std::uint32_t vmid, WarningSink warn)
    : sysroot_(std::move(sysroot)), vmid_(vmid), warn_(std::move(warn)) {}

const StorageConfig& ContainerVolumes::storages() {
  if (!storages_) storages_ = StorageConfig::load(sysroot_, warn_);
  return *storages_;
}

void ContainerVolumes::check_content(const config::VolumeOption& volume) {
  if (volume.kind() != config::VolumeOption::Kind::volume) return;
  storages().dir_for(parse_volume_id(volume.volume).storage, "rootdir");
}

config::VolumeOption ContainerVolumes::ready(config::VolumeOption volume, const IdMap& id_map,
                                             UndoStack& undo) {
  if (volume.kind() != config::VolumeOption::Kind::volume) return volume;
  if (const auto wanted = config::parse_new_volume(volume.volume)) {
    const Owner root = root_on_disk(id_map, volume);
    volume.volume = allocate_volume(vmid_, *wanted, root, storages(), sysroot_, undo).text();
    volume.size = wanted->bytes;
    return volume;
  }
  const VolumeId id = parse_volume_id(volume.volume);
  const std::string path = DirStorage(storages().dir_for(id.storage, "rootdir"), sysroot_).path_of(id);
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0)
    throw_errno(formatted("volume '{}' cannot be used", volume.volume), "create it with STORAGE:SIZE");
  volume.size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  return volume;
}

void ContainerVolumes::free(const std::string& volume, Unreachable unreachable) {
  const StorageConfig& all = storages();
  std::optional<DirStorage> storage;
  VolumeId id;
  try {
    id = parse_volume_id(volume);
    storage.emplace(all.dir(id.storage), sysroot_);
    if (parse_file_volume(id).owner != vmid_) {
      warn_(formatted("volume '{}' does not belong to CT {} and is left alone", volume, vmid_));
      return;
    }
  } catch (const Error& error) {
    if (unreachable == Unreachable::fails) throw;
    warn_(formatted("volume '{}' is left alone: {}", volume, error.what()));
    return;
  }
  storage->free(id);
}

void ContainerVolumes::free_unreferenced() {
  for (const auto& name : storages().enabled_dirs()) {
    const DirStorage storage(storages().dir(name), sysroot_);
    for (const auto& found : storage.list(vmid_)) storage.free(found.id);
  }
}

}  // namespace hutch::cli
