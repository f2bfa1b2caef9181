#include <syslog.h>

#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"

namespace hutch::cli {

int command_unlock(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const std::uint32_t vmid = context.vmid();
  const auto file_lock = store.lock(vmid, context.err());
  auto config = load_config(context, store, vmid);
  const std::string lock = config_lock(config);
  if (lock.empty()) throw Error(formatted("no lock found trying to remove lock of CT {}", vmid));
  config.main.erase("lock");
  store.write(vmid, config::write_config(config));
  ::syslog(LOG_INFO | LOG_DAEMON, "pct: removed lock '%s' of CT %u", lock.c_str(), vmid);
  return 0;
}

}  // namespace hutch::cli
