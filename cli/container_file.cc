#include "cli/container_file.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cli {

config::ContainerConfig load_config(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                                    bool diagnostics) {
  config::Diagnostics found;
  if (diagnostics) return load_config(context, store, vmid, found);
  return config::read_config(store.read(vmid), formatted("{}.conf", vmid), vmid, found);
}

config::ContainerConfig load_config(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                                    config::Diagnostics& diagnostics) {
  auto config = config::read_config(store.read(vmid), formatted("{}.conf", vmid), vmid, diagnostics);
  for (const auto& diagnostic : diagnostics)
    std::fprintf(context.err(), "WARN: %s\n", terminal_safe(diagnostic.text()).c_str());
  return config;
}

std::string config_lock(const config::ContainerConfig& config) {
  return config.main.get("lock").value_or("");
}

void check_config_lock(const config::ContainerConfig& config, const std::string& allowed) {
  const std::string lock = config_lock(config);
  if (lock.empty() || lock == allowed) return;
  throw Error(
      formatted("CT is locked ({})", lock), 0,
      formatted("another operation is at work; if none is, 'pct unlock {}' removes the lock", config.vmid),
      config.main.origin_of("lock"));
}

std::string container_name(const config::ContainerConfig& config) {
  return config.main.get("hostname").value_or(formatted("CT{}", config.vmid));
}

}  // namespace hutch::cli
