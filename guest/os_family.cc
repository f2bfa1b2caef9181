#include "guest/os_family.h"

#include <array>

#include "base/error.h"
#include "base/format.h"
#include "guest/networkd.h"

namespace hutch::guest {

namespace {

using enum HostnameStyle;

constexpr std::array<OsFamily, 11> kFamilies{{
    {OsType::alpine, short_name, false, alpine::template_fixup, alpine::init_and_getty, alpine::network},
    {OsType::archlinux, short_name, false, archlinux::template_fixup, archlinux::init_and_getty,
     nixos::network},
    {OsType::centos, full_name, false, nullptr, nullptr, nullptr},
    {OsType::debian, short_name, true, debian::template_fixup, debian::init_and_getty, debian::network},
    {OsType::devuan, short_name, true, debian::template_fixup, debian::init_and_getty, debian::network},
    {OsType::fedora, full_name, false, nullptr, nullptr, nullptr},
    {OsType::gentoo, gentoo, false, nullptr, nullptr, nullptr},
    {OsType::nixos, short_name, false, no_step, no_step, nixos::network},
    {OsType::openeuler, full_name, false, nullptr, nullptr, nullptr},
    {OsType::opensuse, short_name, false, nullptr, nullptr, nullptr},
    {OsType::ubuntu, short_name, true, ubuntu::template_fixup, ubuntu::init_and_getty, ubuntu::network},
}};

}  // namespace

void no_step(const SetupContext&) {}

const OsFamily& os_family(OsType type) {
  for (const auto& family : kFamilies) {
    if (family.type == type) return family;
  }
  throw Error(formatted("no setup is known for the ostype {}", os_type_name(type)));
}

std::string tty_directory(const SetupContext& context) {
  switch (context.os.type) {
    case OsType::debian:
    case OsType::devuan:
    case OsType::ubuntu:
    case OsType::alpine:
    case OsType::gentoo: return "";
    default: return context.settings.unprivileged ? "" : "lxc/";
  }
}

namespace nixos {
void network(const SetupContext& context) {
  write_network_units(context.root, context.settings.interfaces);
}
}  // namespace nixos

}  // namespace hutch::guest
