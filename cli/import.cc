#include "cli/import.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/config_store.h"
#include "cli/foreign_formats.h"
#include "cli/lowering_context.h"
#include "config/config_transfer.h"
#include "config/formats/import.h"
#include "config/lower.h"
#include "config/mac_address.h"
#include "config/property_formats.h"
#include "guest/detect.h"

namespace hutch::cli {

namespace {

using config::Diagnostic;
using config::Format;
using config::Imported;

config::ImportSources host_sources() {
  config::ImportSources sources;
  sources.read_file = read_regular_file;
  sources.list_directory = directory_names;
  sources.device_at = host_device;
  sources.is_regular_file = [](const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  };
  return sources;
}

std::string read_source(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) < 0) throw_errno(formatted("cannot read '{}'", file));
  if (S_ISDIR(status.st_mode)) {
    const bool has_config = path_exists(AT_FDCWD, file + "/config");
    throw Error(
        formatted("'{}' is a directory", file), EISDIR,
        has_config ? formatted("the container's file is '{}/config'", file) : "give the container's file");
  }
  return read_regular_file(file);
}

Format requested_format(const CommandContext& context, const std::string& text, const std::string& file) {
  const auto name = context.options().value("format");
  if (!name) return config::detect_format(text, file);
  if (const auto format = config::find_format(*name)) {
    config::check_format(*format, text, file);
    return *format;
  }
  throw Error(formatted("'{}' is no format that can be imported", *name), 0,
              "use pve, lxc, lxc-0.1, early-pve or libvirt", {"--format"});
}

// In place of what no line of the source says: the system that is found in the rootfs.
void detect_os_type(Imported& imported) {
  auto& main = imported.config.main;
  const auto* type = main.find("ostype");
  const auto* rootfs = main.find("rootfs");
  if (type == nullptr || type->origin != config::default_origin() || rootfs == nullptr) return;
  const auto remark = [&](const std::string& text) {
    imported.diagnostics.push_back({Diagnostic::Severity::warning, text, rootfs->origin});
  };
  try {
    const auto option = config::parse_rootfs(rootfs->value);
    if (option.kind() != config::VolumeOption::Kind::bind) return;
    const UniqueFd directory = open_file(AT_FDCWD, option.volume, O_PATH | O_DIRECTORY);
    const guest::GuestRoot root(directory.get(), {});
    guest::Report report;
    main.set("ostype", std::string(guest::os_type_name(guest::detect_os(root, "", report).type)),
             rootfs->origin);
  } catch (const Error& error) {
    remark(formatted("ostype is unmanaged: {}", error.what()));
  }
}

// The addresses of the first PVE were made up where the file had none.
void add_mac_addresses(config::Section& section) {
  for (const auto& key : section.indexed_keys("net")) {
    auto net = config::parse_net(section.find(key)->value);
    if (!net.hwaddr.empty()) continue;
    net.hwaddr = config::random_mac();
    section.set(key, config::print_net(net), section.origin_of(key));
  }
}

void check_rootfs(const std::string& value) {
  try {
    config::parse_rootfs(value);
  } catch (const Error& error) {
    throw error.with_origin({"--rootfs"});
  }
}

Imported read_imported(const CommandContext& context) {
  const std::string& file = context.positional().at(1);
  std::string text = read_source(file);
  const Format format = requested_format(context, text, file);
  auto imported = config::import_config(format, text, file, context.vmid(), host_sources());
  auto& main = imported.config.main;
  if (const auto rootfs = context.options().value("rootfs")) {
    check_rootfs(*rootfs);
    main.set("rootfs", *rootfs, {"--rootfs"});
  }
  if (format == Format::early_pve) {
    add_mac_addresses(main);
    for (auto& [name, section] : imported.config.snapshots) add_mac_addresses(section);
  }
  detect_os_type(imported);
  return imported;
}

bool has_root(const config::Section& section) {
  if (section.has("rootfs")) return true;
  for (const auto& entry : section.raw) {
    if (entry.key == "lxc.rootfs.path" && !entry.value.empty()) return true;
  }
  return false;
}

// A config that must not be used is not written; all lines have been told by then.
void check_protection(const Imported& imported, const std::string& file) {
  const auto count = imported.lost_protection.size();
  if (count == 0) return;
  const bool one = count == 1;
  throw Error(
      formatted("'{}' is not imported: {} told above {} what the container may do and cannot be carried over",
                file, one ? std::string("a line") : formatted("{} lines", count), one ? "says" : "say"),
      0,
      formatted("without {0} it could do more than it was meant to; correct or remove {0} in the file",
                one ? "it" : "them"),
      imported.lost_protection.front());
}

void check_root(const Imported& imported, const std::string& file) {
  if (!has_root(imported.config.main)) {
    throw Error(formatted("'{}' names no root file system: the container shares the host's", file), 0,
                "give it one with --rootfs <directory or volume>", {file, 0});
  }
}

// Takes the settings of a line out of a section; what every container has gets another value.
bool take_out(config::Section& section, const Origin& origin) {
  auto lines = std::erase_if(section.raw, [&origin](const auto& entry) { return entry.origin == origin; });
  lines += std::erase_if(section.options,
                         [&origin](const auto& option) { return option.second.origin == origin; });
  for (const auto& [key, value] : {std::pair("arch", "amd64"), std::pair("ostype", "unmanaged")}) {
    if (!section.has(key)) section.set(key, value);
  }
  if (!has_root(section)) section.set("rootfs", "/");
  return lines > 0;
}

// More than these are not looked for, one after the other.
constexpr int kMaxObstacles = 32;

// What else keeps this host from starting it: files that are missing, lines that do not go together.
void add_obstacles(Imported& imported, const Sysroot& sysroot) {
  auto config = imported.config;
  const auto lowering = make_lowering_context(sysroot, config.vmid);
  const auto add = [&imported](const Origin& origin, const std::string& reason) {
    imported.diagnostics.push_back(
        {Diagnostic::Severity::warning, "as it is, the container does not start: " + reason, origin});
  };
  for (int found = 0; found < kMaxObstacles; ++found) {
    try {
      for (const auto& diagnostic : config::lower(config, lowering).diagnostics) {
        if (diagnostic.severity == Diagnostic::Severity::error) add(diagnostic.origin, diagnostic.message);
      }
      return;
    } catch (const Error& error) {
      if (std::ranges::find(imported.unusable, error.origin()) == imported.unusable.end()) {
        add(error.origin(), Error(error.action(), error.error_number(), error.hint()).what());
      }
      // Then the next one is found.
      if (!take_out(config.main, error.origin())) return;
    }
  }
  add({}, formatted("{} reasons are told; there may be more", kMaxObstacles));
}

void tell(const Imported& imported, std::FILE* out) {
  for (const auto& diagnostic : imported.diagnostics) {
    std::fprintf(out, "%s\n", told_line(diagnostic).c_str());
  }
}

}  // namespace

int convert_container(CommandContext& context) {
  auto imported = read_imported(context);
  if (!imported.lost_protection.empty()) tell(imported, context.err());
  check_protection(imported, context.positional().at(1));
  context.print(config::write_transfer({std::move(imported.config), std::move(imported.diagnostics)}));
  return 0;
}

int import_container(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const std::string& file = context.positional().at(1);
  const auto refuse_existing = [&] {
    if (const auto node = store.node_of(context.vmid())) {
      throw Error(formatted("CT {} already exists on node '{}'", context.vmid(), *node), 0,
                  "choose another id");
    }
  };
  refuse_existing();
  auto imported = read_imported(context);
  try {
    check_protection(imported, file);
    check_root(imported, file);
  } catch (const Error&) {
    tell(imported, context.err());
    throw;
  }
  add_obstacles(imported, context.sysroot());
  const std::string text = config::write_config(imported.config);
  if (context.options().flag("dry-run")) {
    context.print(text);
    tell(imported, context.err());
    return 0;
  }
  const auto lock = store.lock(context.vmid(), context.err());
  refuse_existing();
  store.create(context.vmid(), text);
  tell(imported, context.out());
  return 0;
}

}  // namespace hutch::cli
