#include "runtime/start.h"

#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/guest_settings.h"
#include "cli/pending_application.h"
#include "cli/start_preparation.h"
#include "cli/trace_output.h"
#include "guest/setup.h"
#include "runtime/hookscript.h"
#include "runtime/stop.h"

namespace hutch::cli {

namespace {

void refuse_template(const config::ContainerConfig& config) {
  if (config.main.boolean_or("template", false)) {
    throw Error(formatted("you can't start a CT if it's a template (CT {})", config.vmid), 0,
                formatted("'pct set {} --template 0' makes it a container again", config.vmid),
                config.main.origin_of("template"));
  }
}

// Whether the container runs is not for the trace's file to decide: a file that cannot be written is a
// warning.
void show_trace(CommandContext& context, const Trace& trace) {
  if (const auto file = context.options().value("trace")) {
    try {
      write_chrome_trace(*file, trace.spans());
    } catch (const Error& error) {
      context.warn(error.what());
    }
  }
  if (context.options().flag("timing")) context.print(print_waterfall(trace.spans()));
}

StartOptions early_options(std::uint32_t vmid, Trace& trace) {
  StartOptions options;
  options.trace = &trace;
  options.restart_command = {"start", std::to_string(vmid)};
  return options;
}

StartOptions start_options(const CommandContext& context, const config::ContainerConfig& config,
                           Trace& trace) {
  StartOptions options = early_options(config.vmid, trace);
  options.debug =
      context.debug() || context.options().flag("debug") || config.main.boolean_or("debug", false);
  if (config.main.get("ostype") == "unmanaged") return options;  // hands off
  options.set_up_guest = [&config](int rootfs_fd, Owner owner, const StartOptions::Warn& warn) {
    const guest::GuestRoot root(rootfs_fd, owner);
    guest::Report report;
    const auto tell = [&] {
      for (const auto& warning : report.warnings) warn(warning);
    };
    try {
      guest::setup_on_start(
          root, make_guest_settings(config.main, config.main.boolean_or("unprivileged", false)), report);
    } catch (...) {
      tell();
      throw;
    }
    tell();
  };
  return options;
}

config::ContainerConfig startable_config(CommandContext& context, const ConfigStore& store, Trace& trace) {
  const std::uint32_t vmid = context.vmid();
  auto config = [&] {
    const auto span = trace.span("read the config");
    return load_config(context, store, vmid);
  }();
  refuse_template(config);
  if (!context.options().flag("skiplock")) check_config_lock(config, "mounted");
  if (find_running(context.sysroot(), vmid)) throw Error(formatted("CT {} already running", vmid));
  context.enter_worker();
  clean_up_leftovers(context.sysroot(), vmid);
  // Read again where the file is another one now: messages name its lines.
  if (apply_pending_to_file(config, store, context.sysroot(),
                            [&context](const std::string& text) { context.warn(text); })) {
    config = load_config(context, store, vmid, false);
  }
  return config;
}

std::vector<std::string> start(CommandContext& context, const ConfigStore& store,
                               const config::ContainerConfig& config, Trace& trace, StartPlan& plan,
                               ContainerStart& start, std::optional<HookscriptTurn>& turn) {
  std::string script;
  StartOptions options = start_options(context, config, trace);
  options.state_directory_made = [&] {
    store.note_start(config.vmid);
    if (!script.empty()) turn.emplace(context.sysroot(), config.vmid, script);
  };
  start.set_options(options);
  const auto failing_start = [&](auto action) {
    try {
      return action();
    } catch (const Error& error) {
      throw error.with_context(formatted("startup for container '{}' failed", config.vmid));
    }
  };
  prepare_start(context, config, trace, plan, [&](const StartPlan& ahead) {
    if (!context.restarting()) script = ahead.spec.hookscript.value;
    if (!script.empty()) run_hookscript(script, config.vmid, "pre-start");
    failing_start([&] { start.begin(ahead); });
  });
  return failing_start([&] { return start.finish(plan); });
}

// Also of a container that has ended meanwhile, which is told to have ended after that. Nothing of it is held
// against a container that runs.
void tell_hookscript_after(CommandContext& context, const HookscriptTurn& turn) {
  try {
    turn.tell("post-start");
  } catch (const Error& error) {
    context.warn(error.what());
  }
}

}  // namespace

int command_start(CommandContext& context) {
  Trace trace(TraceLane::command, context.options().has("trace") || context.options().flag("timing"));
  const ConfigStore store(context.sysroot());
  // Released after whatever `begun` has to take back.
  std::optional<ConfigFileLock> lock;
  StartPlan plan;
  // First of all: it gets ready beside us. (And so it has no copy of the lock.)
  ContainerStart begun = [&] {
    const auto span = trace.span("make the supervisor");
    return ContainerStart(context.sysroot(), context.vmid(), early_options(context.vmid(), trace));
  }();
  {
    const auto span = trace.span("take the lock");
    lock = store.lock(context.vmid(), context.err());
  }
  // Somebody else has started it, and may have stopped it since.
  if (context.restarting() && store.last_start(context.vmid()) != context.restart_of()) return 0;
  const auto config = startable_config(context, store, trace);
  std::optional<HookscriptTurn> turn;
  try {
    for (const auto& warning : start(context, store, config, trace, plan, begun, turn)) context.warn(warning);
  } catch (const Error&) {
    // A relative file name is meant where the user is.
    begun.give_up();
    show_trace(context, trace);
    throw;
  }
  lock.reset();
  if (turn) tell_hookscript_after(context, *turn);
  show_trace(context, trace);
  return 0;
}

}  // namespace hutch::cli
