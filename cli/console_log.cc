#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "runtime/console_watch.h"

namespace hutch::cli {

int command_console_log(CommandContext& context) {
  if (!find_running(context.sysroot(), context.vmid())) {
    throw Error(formatted("CT {} not running", context.vmid()));
  }
  try {
    context.print(read_console_buffer(context.sysroot(), context.vmid()));
  } catch (const Error& error) {
    if (error.error_number() != ENOENT) throw;
    throw Error(formatted("the console of CT {} is not kept", context.vmid()), 0,
                "set lxc.console.buffer.size and start it again");
  }
  return 0;
}

}  // namespace hutch::cli
