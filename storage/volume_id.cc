#include "storage/volume_id.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

constexpr std::size_t kNameLimit = 255;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

struct ContentRow {
  std::string_view prefix;
  VolumeKind kind;
};
constexpr std::array kContentRows{
    ContentRow{"vztmpl", VolumeKind::container_template},
    ContentRow{"backup", VolumeKind::backup},
    ContentRow{"snippets", VolumeKind::snippet},
    ContentRow{"iso", VolumeKind::iso},
};

struct FormatRow {
  std::string_view suffix;
  VolumeFormat format;
};
constexpr std::array kFormatRows{
    FormatRow{"raw", VolumeFormat::raw},
    FormatRow{"qcow2", VolumeFormat::qcow2},
    FormatRow{"vmdk", VolumeFormat::vmdk},
    FormatRow{"subvol", VolumeFormat::subvol},
};

[[noreturn]] void refuse(const VolumeId& id, const std::string& reason, const Origin& origin) {
  throw Error(formatted("unable to parse volume id '{}': {}", id.text(), reason), 0, {}, origin);
}

// A vmid as a directory name: digits without leading zero, in the range of vmids' type.
std::optional<std::uint32_t> parse_owner(std::string_view text) {
  const auto number = parse_unsigned(text);
  if (!number || *number == 0 || *number > 999999999 || text.front() == '0') return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

VolumeFormat format_of(std::string_view file) {
  const auto dot = file.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return VolumeFormat::none;
  for (const auto& row : kFormatRows) {
    if (file.substr(dot + 1) == row.suffix) return row.format;
  }
  return VolumeFormat::none;
}

VolumeKind disk_kind(std::string_view file, VolumeFormat format) {
  if (file.starts_with("base-")) return VolumeKind::base_image;
  return format == VolumeFormat::subvol ? VolumeKind::subvol : VolumeKind::image;
}

}  // namespace

bool is_storage_id(std::string_view text) {
  if (text.size() < 2 || !is_letter(text.front())) return false;
  if (!is_letter(text.back()) && !is_digit(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_volume_id(std::string_view text) {
  const auto colon = text.find(':');
  return colon != std::string_view::npos && colon + 1 < text.size() && is_storage_id(text.substr(0, colon));
}

VolumeId parse_volume_id(std::string_view text, const Origin& origin) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw Error(formatted("unable to parse volume id '{}'", text), 0, "it has the form <storage>:<name>",
                origin);
  }
  const VolumeId id{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
  if (!is_storage_id(id.storage)) refuse(id, formatted("'{}' is no storage id", id.storage), origin);
  if (id.name.empty()) refuse(id, "the name after ':' is missing", origin);
  if (id.name.size() > kNameLimit)
    refuse(id, formatted("the name is longer than {} bytes", kNameLimit), origin);
  if (std::any_of(id.name.begin(), id.name.end(), is_control)) {
    refuse(id, "control characters are not allowed", origin);
  }
  for (const auto part : split(id.name, '/')) {
    if (part.empty()) refuse(id, "empty path components are not allowed", origin);
    if (part == "." || part == "..")
      refuse(id, formatted("the path component '{}' is not allowed", part), origin);
  }
  return id;
}

FileVolume parse_file_volume(const VolumeId& id, const Origin& origin) {
  const auto parts = split(id.name, '/');
  if (parts.size() == 4 && parse_owner(parts[0]) && parse_owner(parts[2])) {
    refuse(id, "linked clones on a directory storage are for virtual machines only", origin);
  }
  if (parts.size() != 2 || parts[1].empty()) {
    refuse(id, "a directory storage has names such as '<vmid>/vm-<vmid>-disk-0.raw' and 'vztmpl/<file>'",
           origin);
  }
  const std::string file(parts[1]);
  // Such a component would be walked, not named; parse_volume_id refuses it, a VolumeId made by hand may hold
  // it.
  if (file == "." || file == "..")
    refuse(id, formatted("the path component '{}' is not allowed", file), origin);
  for (const auto& row : kContentRows) {
    if (parts[0] == row.prefix) return {row.kind, VolumeFormat::none, 0, file};
  }
  const auto owner = parse_owner(parts[0]);
  if (!owner) refuse(id, formatted("'{}' is neither a vmid nor a content type", parts[0]), origin);
  const auto disk = parse_disk_name(*owner, file);
  if (!disk) refuse(id, "the name must end in .raw, .qcow2, .vmdk or .subvol and contain no blanks", origin);
  return *disk;
}

std::optional<FileVolume> parse_disk_name(std::uint32_t owner, std::string_view file) {
  const VolumeFormat format = format_of(file);
  if (format == VolumeFormat::none || std::any_of(file.begin(), file.end(), is_blank)) return std::nullopt;
  return FileVolume{disk_kind(file, format), format, owner, std::string(file)};
}

int disk_number(std::string_view file, std::uint32_t vmid) {
  for (const std::string_view kind : {"vm", "base", "subvol", "basevol"}) {
    const std::string prefix = formatted("{}-{}-disk-", kind, vmid);
    if (!file.starts_with(prefix)) continue;
    const auto digits = file.substr(prefix.size(), file.find('.', prefix.size()) - prefix.size());
    const auto number = parse_unsigned(digits);
    if (number && *number <= 999999) return static_cast<int>(*number);
  }
  return -1;
}

std::string_view format_name(VolumeFormat format) {
  for (const auto& row : kFormatRows) {
    if (row.format == format) return row.suffix;
  }
  return "";
}

}  // namespace hutch
