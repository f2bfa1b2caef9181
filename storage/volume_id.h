#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/origin.h"

// Names of volumes (pct-conf 7.1): "<storage id>:<name>", and what the name means on a directory storage.
namespace hutch {

// A volume id, split but not interpreted: what `name` means depends on the type of the storage.
struct VolumeId {
  std::string storage;  // "local"
  std::string name;     // "101/vm-101-disk-0.raw", "vztmpl/debian-12.tar.zst"

  std::string text() const { return storage + ":" + name; }
  bool operator==(const VolumeId&) const = default;
};

// Whether `text` is a storage id: at least 2 characters, a letter, then letters, digits, '-', '_', '.',
// the last one a letter or digit.
bool is_storage_id(std::string_view text);

// Whether `text` starts with "<storage id>:" and something follows, so that it names a volume and not a path.
bool is_volume_id(std::string_view text);

// Splits a volume id. Throws for a bad storage id and for a name that could be walked out of the storage:
// empty, absolute, with a "." or ".." or empty component, with control characters, longer than 255 bytes.
VolumeId parse_volume_id(std::string_view text, const Origin& origin = {});

enum class VolumeKind {
  image,               // <vmid>/vm-<vmid>-disk-<n>.raw
  subvol,              // <vmid>/subvol-<vmid>-disk-<n>.subvol
  base_image,          // <vmid>/base-<vmid>-disk-<n>.raw (or .subvol)
  container_template,  // vztmpl/<file>
  backup,              // backup/<file>
  snippet,             // snippets/<file>
  iso,                 // iso/<file>
};

// How the bytes of a volume are stored: `none` for the kinds that are plain files.
enum class VolumeFormat { none, raw, qcow2, vmdk, subvol };

// What a volume's name says on a storage that keeps volumes as files (dir, nfs, cifs, cephfs).
struct FileVolume {
  VolumeKind kind = VolumeKind::image;
  VolumeFormat format = VolumeFormat::none;
  std::uint32_t owner = 0;  // the vmid whose directory holds it; 0 for templates, backups, snippets, isos
  std::string file;         // last component
  bool operator==(const FileVolume&) const = default;
};

// Interprets `id.name`. Throws for names of no known shape and for linked clones
// (<basevmid>/<base>/<vmid>/<name>), which only virtual machines can use.
FileVolume parse_file_volume(const VolumeId& id, const Origin& origin = {});

// What `file` in the directory of vmid `owner` is: "(vm-|base-|subvol-)...<.raw|.qcow2|.vmdk|.subvol>" or any
// other name without blanks and with such a suffix. Nothing when it is no disk.
std::optional<FileVolume> parse_disk_name(std::uint32_t owner, std::string_view file);

// The disk number n of "vm-<vmid>-disk-<n>.raw" and its siblings (base-, subvol-, basevol-), -1 when `file`
// is not a numbered disk of `vmid`.
int disk_number(std::string_view file, std::uint32_t vmid);

// "raw", "subvol", ...; "" for none.
std::string_view format_name(VolumeFormat format);

}  // namespace hutch
