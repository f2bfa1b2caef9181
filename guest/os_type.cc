#include "guest/os_type.h"

#include <array>
#include <utility>

#include "base/format.h"

namespace hutch::guest {

namespace {

constexpr std::array<std::pair<OsType, std::string_view>, 12> kNames{{
    {OsType::alpine, "alpine"},
    {OsType::archlinux, "archlinux"},
    {OsType::centos, "centos"},
    {OsType::debian, "debian"},
    {OsType::devuan, "devuan"},
    {OsType::fedora, "fedora"},
    {OsType::gentoo, "gentoo"},
    {OsType::nixos, "nixos"},
    {OsType::openeuler, "openeuler"},
    {OsType::opensuse, "opensuse"},
    {OsType::ubuntu, "ubuntu"},
    {OsType::unmanaged, "unmanaged"},
}};

}  // namespace

std::string_view os_type_name(OsType type) {
  for (const auto& [value, name] : kNames) {
    if (value == type) return name;
  }
  return "unknown";
}

std::optional<OsType> os_type_from_name(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string OsVersion::text() const {
  return formatted("{}.{}", major, minor);
}

}  // namespace hutch::guest
