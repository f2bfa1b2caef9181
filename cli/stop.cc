#include "runtime/stop.h"

#include <chrono>

#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/destruction.h"
#include "cli/pending_application.h"
#include "runtime/hookscript.h"

namespace hutch::cli {

namespace {

constexpr std::int64_t kDefaultTimeout = 60;  // seconds

std::chrono::seconds timeout_of(const CommandContext& context) {
  return std::chrono::seconds(context.options().integer("timeout").value_or(kDefaultTimeout));
}

// The state of a container that must run.
ContainerState running_state(const CommandContext& context) {
  auto state = find_running(context.sysroot(), context.vmid());
  if (!state) throw Error(formatted("CT {} not running", context.vmid()));
  return std::move(*state);
}

// For a supervisor that was killed, with us or before: one that lived has done it.
void destroy_if_ended(CommandContext& context, const ConfigStore& store) {
  if (find_running(context.sysroot(), context.vmid())) return;
  destroy_ephemeral(context, store, context.vmid());
}

void apply_pending(CommandContext& context, const ConfigStore& store) {
  apply_pending_after_stop(store, context.sysroot(), context.vmid(),
                           [&context](const std::string& text) { context.warn(text); });
}

// False when it still runs after the time that the user gives it.
bool halt(CommandContext& context, const ConfigStore& store, const ContainerState& state) {
  return halt_container(context.sysroot(), state, timeout_of(context), [&](const auto& clean_up) {
    const auto lock = store.lock(context.vmid(), context.err());
    clean_up();
  });
}

void tell_hookscript(CommandContext& context, const ContainerState& state) {
  if (state.hookscript.empty()) return;
  try {
    run_hookscript(state.hookscript, state.vmid, "pre-stop");
  } catch (const Error& error) {
    context.warn(error.what());
  }
}

}  // namespace

int command_stop(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const auto lock = store.lock(context.vmid(), context.err());
  const auto config = load_config(context, store, context.vmid());
  if (!context.options().flag("skiplock")) check_config_lock(config, "mounted");
  const ContainerState state = running_state(context);
  context.enter_worker();
  tell_hookscript(context, state);
  // The lock is ours, so the supervisor could not destroy an ephemeral container.
  keep_ephemeral(context.sysroot(), state);
  kill_container(context.sysroot(), state);
  if (state.ephemeral) {
    destroy_ephemeral(context, store, context.vmid());
  } else {
    apply_pending(context, store);
  }
  return 0;
}

int command_shutdown(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  ContainerState state;
  {
    const auto lock = store.lock(context.vmid(), context.err());
    check_config_lock(load_config(context, store, context.vmid()));
    state = running_state(context);
  }
  // Without the lock: a minute's wait must not keep `pct stop` and `pct unlock` out.
  context.enter_worker();
  tell_hookscript(context, state);
  const bool halted = halt(context, store, state);
  if (!halted && !context.options().flag("forceStop")) {
    throw Error("container did not stop", 0, formatted("'pct stop {}' kills it", context.vmid()));
  }
  const auto lock = store.lock(context.vmid(), context.err());
  if (!halted) kill_container(context.sysroot(), state);
  if (state.ephemeral) {
    destroy_if_ended(context, store);
  } else {
    apply_pending(context, store);
  }
  return 0;
}

int command_reboot(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  ContainerState state;
  {
    const auto lock = store.lock(context.vmid(), context.err());
    load_config(context, store, context.vmid(), false);
    state = running_state(context);
  }
  context.enter_worker();
  tell_hookscript(context, state);
  keep_ephemeral(context.sysroot(), state);
  if (!halt(context, store, state)) {
    const auto lock = store.lock(context.vmid(), context.err());
    kill_container(context.sysroot(), state);
  }
  CommandContext start = context.nested({std::to_string(context.vmid())});
  const int status = command_start(start);
  context.add_warnings(start.warnings());
  return status;
}

}  // namespace hutch::cli
