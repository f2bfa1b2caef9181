#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace hutch::guest {

// The values of the option `ostype`.
enum class OsType {
  alpine,
  archlinux,
  centos,
  debian,
  devuan,
  fedora,
  gentoo,
  nixos,
  openeuler,
  opensuse,
  ubuntu,
  unmanaged,
};

std::string_view os_type_name(OsType type);
std::optional<OsType> os_type_from_name(std::string_view name);

// Major and minor release number; 0.0 where a type has none.
struct OsVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const OsVersion&) const = default;
  // "12", "23.04" style is the distribution's business: this gives "<major>.<minor>".
  std::string text() const;
};

}  // namespace hutch::guest
