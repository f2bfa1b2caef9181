#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/libvirt_reader.h"
#include "config/formats/mount_line.h"
#include "config/property_formats.h"

// <devices>: terminals, host devices, file systems.
namespace hutch::config {

namespace {

void ignore(LibvirtDraft&, const pugi::xml_node&) {}

// "/a//b" -> "a/b", as a field of an fstab line. Throws Error for a path that leads out of the root.
std::string below_root(const LibvirtDraft& draft, const pugi::xml_node& node, const std::string& path) {
  std::vector<std::string> parts;
  for (const auto part : split(path, '/')) {
    if (part == "..") draft.bad(node, path, "a path without '..'");
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  return fstab_field(join(parts, "/"));
}

void add_entry(LibvirtDraft& draft, const pugi::xml_node& node, const std::string& source,
               const std::string& target, std::string_view type, std::string options) {
  if (node.child("readonly")) options += ",ro";
  draft.put(
      "lxc.mount.entry",
      formatted("{} {} {} {} 0 0", source, below_root(draft, node.child("target"), target), type, options),
      node);
}

void read_root(LibvirtDraft& draft, const pugi::xml_node& node, const std::string& type,
               const std::string& source) {
  const bool is_image = type == "file";
  if (type != "mount" && type != "block" && !is_image) {
    return draft.not_carried(node, formatted("a root file system of type '{}' has no counterpart", type));
  }
  if (source.empty() || source.front() != '/') draft.bad(node, source, "an absolute path");
  if (source == "/") return draft.not_carried(node, "the host's root cannot be the root of a CT");
  draft.put("lxc.rootfs.path", (is_image ? "loop:" : "") + source, node);
  if (!node.child("readonly")) return;
  if (is_image) return draft.not_carried(node.child("readonly"), "the image is mounted writable");
  draft.put("lxc.rootfs.options", "ro", node.child("readonly"));
}

void read_ram(LibvirtDraft& draft, const pugi::xml_node& node, const std::string& target) {
  const auto source = node.child("source");
  auto unit = attribute(source, "units");
  if (unit.empty()) unit = attribute(source, "unit");
  if (!source) return draft.not_carried(node, "a <source usage='...'/> with its size is missing");
  const auto bytes = libvirt_bytes(draft, source, attribute(source, "usage"), unit);
  add_entry(draft, node, "tmpfs", target, "tmpfs",
            bytes ? formatted("create=dir,size={}", *bytes) : std::string("create=dir"));
}

void read_console(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto consoles = node.parent().children("console");
  if (*consoles.begin() != node) return;  // all with the first
  const auto count = std::distance(consoles.begin(), consoles.end());
  draft.set("tty", std::to_string(std::min<std::ptrdiff_t>(count, 6)), node);
}

void read_host_device(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto mode = attribute(node, "mode");
  const auto type = attribute(node, "type");
  const auto source = node.child("source");
  if (mode == "capabilities" && type == "net") {
    const auto index = draft.interfaces++;
    const auto name = text_of(source.child("interface"));
    draft.put(formatted("lxc.net.{}.type", index), "phys", node);
    draft.put(formatted("lxc.net.{}.link", index), name, node);
    draft.put(formatted("lxc.net.{}.flags", index), "up", node);
    return;
  }
  DeviceOption device;
  if (mode == "capabilities" && type == "storage") device.path = text_of(source.child("block"));
  if (mode == "capabilities" && type == "misc") device.path = text_of(source.child("char"));
  if (mode == "subsystem" && type == "usb") {
    const auto address = source.child("address");
    const auto bus = parse_unsigned(attribute(address, "bus"));
    const auto number = parse_unsigned(attribute(address, "device"));
    if (bus && number) device.path = formatted("/dev/bus/usb/{:03}/{:03}", *bus, *number);
  }
  if (device.path.empty()) return draft.not_carried(node, "only devices with a node below /dev can be given");
  try {
    draft.set(formatted("dev{}", draft.devices), print_device(parse_device("path=" + device.path)), node);
    ++draft.devices;
  } catch (const Error& error) {
    draft.not_carried(node, error.what());
  }
}

// Also "//" and "/.": the same directory.
bool is_root(const std::string& target) {
  const auto parts = split(target, '/');
  return std::all_of(parts.begin(), parts.end(), [](auto part) { return part.empty() || part == "."; });
}

constexpr ElementRow kDevices[] = {
    // Its own terminal; every container has one.
    {"console", read_console},
    {"controller", ignore},
    {"emulator", ignore},  // libvirt's own program
    {"filesystem", read_filesystem},
    {"hostdev", read_host_device},
    {"interface", read_interface},
};

}  // namespace

void read_filesystem(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto given = attribute(node, "type");
  const std::string type = given.empty() ? "mount" : given;
  const auto target = attribute(node.child("target"), "dir");
  if (target.empty() || target.front() != '/') draft.bad(node, target, "an absolute path (target dir)");
  const auto source_node = node.child("source");
  const auto source = attribute(source_node, type == "file" ? "file" : type == "block" ? "dev" : "dir");
  if (const auto access = attribute(node, "accessmode"); !access.empty() && access != "passthrough") {
    draft.not_carried(node,
                      formatted("the access mode '{}' has no counterpart; ids are passed through", access));
  }
  for (const char* limit : {"space_hard_limit", "space_soft_limit"}) {
    if (const auto child = node.child(limit)) draft.not_carried(child, "a bound directory cannot be limited");
  }
  if (is_root(target)) return read_root(draft, node, type, source);
  if (type == "ram") return read_ram(draft, node, target);
  if (type == "mount" && source.starts_with('/')) {
    return add_entry(draft, node, fstab_field(source), target, "none", "bind,create=dir");
  }
  // A directory of the container's own.
  if (type == "bind")
    return add_entry(draft, node, below_root(draft, source_node, source), target, "none",
                     "bind,relative,create=dir");
  draft.not_carried(node, formatted("a file system of type '{}' has no counterpart beside the root", type));
}

void read_devices(LibvirtDraft& draft, const pugi::xml_node& devices) {
  read_children(draft, devices, kDevices, std::size(kDevices));
}

}  // namespace hutch::config
