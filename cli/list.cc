#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "runtime/state.h"

namespace hutch::cli {

namespace {

std::string table_row(const std::string& vmid, const std::string& status, const std::string& lock,
                      const std::string& name) {
  return formatted("{:<10} {:<10} {:<12} {:<20}\n", vmid, status, lock, name);
}

}  // namespace

int command_list(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  std::string rows;
  for (const std::uint32_t vmid : store.list()) {
    const auto text = store.read_if_exists(vmid);
    if (!text) continue;  // destroyed since they were listed
    config::Diagnostics ignored;
    const auto config = config::read_config(*text, formatted("{}.conf", vmid), vmid, ignored);
    std::string name = container_name(config);
    std::erase_if(name, is_blank);
    rows += table_row(std::to_string(vmid), find_running(context.sysroot(), vmid) ? "running" : "stopped",
                      config_lock(config), name);
  }
  if (!rows.empty()) context.print(table_row("VMID", "Status", "Lock", "Name") + rows);
  return 0;
}

}  // namespace hutch::cli
