#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "config/lower.h"

namespace hutch::config {

inline constexpr std::string_view kPrivileged =
    "arch: amd64\n"
    "ostype: unmanaged\n"
    "rootfs: local:100/vm-100-disk-0.raw,size=4G\n";
inline constexpr std::string_view kUnprivileged =
    "arch: amd64\n"
    "ostype: unmanaged\n"
    "rootfs: local:100/vm-100-disk-0.raw,size=4G\n"
    "unprivileged: 1\n";

inline LoweringContext test_context() {
  LoweringContext context;
  context.vmid = 100;
  context.resolve_volume = [](const std::string& id) -> ResolvedVolume {
    if (id.ends_with(".subvol")) return {VolumeSpec::Kind::directory, "/var/lib/vz/images/" + id, false};
    if (id.starts_with("base:")) return {VolumeSpec::Kind::image, "/base.raw", true};
    if (id.starts_with("none:")) throw Error("storage 'none' does not exist");
    return {VolumeSpec::Kind::image, "/var/lib/vz/images/100/vm-100-disk-0.raw", false};
  };
  context.read_file = [](const std::string& path) -> std::string {
    if (path == "/policy") return "2\ndenylist\n";
    if (path == "/fstab") return "# comment\n\n/a a none bind\n/b b none bind 0 0";
    if (path == "/bad-fstab") return "\n/a\n";
    if (path == "/empty") return "\n";
    throw Error("cannot open '" + path + "'", ENOENT);
  };
  context.resolve_snippet = [](const std::string& id) -> std::string {
    if (id == "local:snippets/hook.sh") return "/var/lib/vz/snippets/hook.sh";
    throw Error("cannot execute the script of '" + id + "'", ENOENT);
  };
  context.starter_environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "COPIED") return "from = the starter";
    return std::nullopt;
  };
  context.device_at = [](const std::string& path) -> HostDevice {
    if (path == "/dev/kfd") return {'c', 510, 0};
    throw Error("cannot stat '" + path + "'", ENOENT);
  };
  context.container_named = [](const std::string& name) -> std::optional<std::uint32_t> {
    if (name == "db") return 102;
    if (name == "100" || name == "101") return name == "100" ? 100 : 101;
    return std::nullopt;
  };
  context.own_cgroup = [] { return std::string("user.slice/me"); };
  return context;
}

inline LoweringResult lower_text(std::string_view base, const std::string& more = {}) {
  Diagnostics ignored;
  const auto config = read_config(std::string(base) + more, "100.conf", 100, ignored);
  return lower(config, test_context());
}

// The spec of a config that must give no diagnostics.
inline ContainerSpec spec_of(std::string_view base, const std::string& more = {}) {
  auto result = lower_text(base, more);
  for (const auto& diagnostic : result.diagnostics) ADD_FAILURE() << diagnostic.text();
  return std::move(result.spec);
}

// "warning 100.conf:4: ..." for every diagnostic.
inline std::vector<std::string> diagnostics_of(std::string_view base, const std::string& more) {
  std::vector<std::string> texts;
  for (const auto& diagnostic : lower_text(base, more).diagnostics) {
    texts.push_back((diagnostic.severity == Diagnostic::Severity::error ? "error " : "warning ") +
                    diagnostic.text());
  }
  return texts;
}

// The text of the Error that lowering throws.
inline std::string error_of(std::string_view base, const std::string& more = {}) {
  try {
    lower_text(base, more);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

inline std::vector<std::string> values(const std::vector<Located<std::string>>& list) {
  std::vector<std::string> texts;
  for (const auto& located : list) texts.push_back(located.value);
  return texts;
}

}  // namespace hutch::config
