#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/config_store.h"
#include "runtime/attach.h"

namespace hutch::cli {

namespace {

[[noreturn]] void refuse_stopped(std::uint32_t vmid) {
  throw Error(formatted("container '{}' not running!", vmid));
}

int join(CommandContext& context, std::vector<std::string> argv) {
  const std::uint32_t vmid = context.vmid();
  // attach() asks whether it is the record of one that runs.
  const auto state = read_state(context.sysroot(), vmid);
  if (!state) {
    const ConfigStore store(context.sysroot());
    if (!store.exists(vmid)) store.read(vmid);  // says that there is no such container
    refuse_stopped(vmid);
  }
  AttachRequest request;
  request.argv = std::move(argv);
  request.keep_environment = context.options().flag("keep-env", true);
  try {
    return attach(context.sysroot(), *state, request);
  } catch (const Error&) {
    // It may end at any time, and then is missing wherever we look.
    if (is_ending(state->init)) refuse_stopped(vmid);
    throw;
  }
}

}  // namespace

int command_enter(CommandContext& context) {
  return join(context, {});
}

int command_exec(CommandContext& context) {
  const auto& words = context.positional();
  if (words.size() < 2) {
    throw Error("missing command", 0, formatted("'pct exec {} -- <command>'", context.vmid()));
  }
  return join(context, {words.begin() + 1, words.end()});
}

}  // namespace hutch::cli
