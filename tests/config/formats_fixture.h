#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "config/formats/import.h"
#include "config/lower.h"

namespace hutch::config {

inline constexpr const char* kFormatsDirectory = "tests/config/formats";

inline std::string example(const std::string& name) {
  return read_file(AT_FDCWD, std::string(kFormatsDirectory) + "/" + name);
}

// "/fixture/x" is files/x; the devices are made up.
inline std::string fixture_file(const std::string& path) {
  const std::string prefix = "/fixture/";
  if (path == "/fixture/policy") return "2\ndenylist\n";
  if (path == "/etc/libvirt/qemu/networks/lab.xml") return "<network><bridge name='virbr7'/></network>";
  if (!path.starts_with(prefix)) throw Error("cannot open '" + path + "'", ENOENT);
  return read_file(AT_FDCWD, std::string(kFormatsDirectory) + "/files/" + path.substr(prefix.size()));
}

inline std::optional<std::vector<std::string>> fixture_directory(const std::string& path) {
  if (path != "/fixture/site.d") return std::nullopt;
  return list_directory(std::string(kFormatsDirectory) + "/files/site.d");
}

inline HostDevice fixture_device(const std::string& path) {
  if (path == "/dev/sda") return {'b', 8, 0};
  if (path == "/dev/sdf1") return {'b', 8, 81};
  if (path == "/dev/net/tun") return {'c', 10, 200};
  throw Error("cannot stat '" + path + "'", ENOENT);
}

inline ImportSources example_sources() {
  return {fixture_file, fixture_directory, fixture_device, {}};
}

inline Imported import_example(const std::string& name) {
  const auto text = example(name);
  return import_config(detect_format(text, name), text, name, 100, example_sources());
}

inline std::string said(const Imported& imported) {
  std::string text;
  for (const auto& diagnostic : imported.diagnostics) {
    const bool lost = diagnostic.severity == Diagnostic::Severity::error;
    text += (lost ? "not carried over: " : "remark: ") + diagnostic.text() + "\n";
  }
  return text;
}

inline std::string error_of_import(Format format, std::string_view text, const std::string& source = "file") {
  try {
    import_config(format, text, source, 100, example_sources());
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

inline LoweringContext example_context() {
  LoweringContext context;
  context.vmid = 100;
  context.resolve_volume = [](const std::string& id) -> ResolvedVolume {
    const bool image = id.ends_with(".raw");
    return {image ? VolumeSpec::Kind::image : VolumeSpec::Kind::directory, "/var/lib/vz/" + id, false};
  };
  context.resolve_snippet = [](const std::string& id) { return "/var/lib/vz/" + id; };
  context.read_file = fixture_file;
  context.list_directory = fixture_directory;
  context.device_at = fixture_device;
  return context;
}

// What a config means, one line for each fact, without origins: equal texts are equal containers.
// `with_links` false leaves out the network.
std::string describe(ContainerConfig config, bool with_links = true);

}  // namespace hutch::config
