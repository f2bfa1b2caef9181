#include "runtime/start.h"

#include "base/error.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/guest_settings.h"
#include "cli/start_preparation.h"
#include "cli/trace_output.h"
#include "guest/setup.h"
#include "runtime/stop.h"

namespace hutch::cli {

namespace {

void refuse_template(const config::ContainerConfig& config) {
  if (config.main.boolean_or("template", false)) {
    throw Error(formatted("you can't start a CT if it's a template (CT {})", config.vmid), 0,
                "clone it instead");
  }
}

void warn_about_pending(CommandContext& context, const config::ContainerConfig& config) {
  if (config.pending.empty()) return;
  context.warn(formatted("CT {} has pending changes, which this version does not apply", config.vmid));
}

void show_trace(CommandContext& context, const Trace& trace) {
  if (const auto file = context.options().value("trace")) write_chrome_trace(*file, trace.spans());
  if (context.options().flag("timing")) context.print(print_waterfall(trace.spans()));
}

StartOptions start_options(const CommandContext& context, const StartPreparation& prepared, Trace& trace) {
  StartOptions options;
  options.trace = &trace;
  options.debug =
      context.debug() || context.options().flag("debug") || prepared.config.main.boolean_or("debug", false);
  options.restart_command = {"start", std::to_string(prepared.plan.spec.vmid)};
  if (prepared.config.main.get("ostype") == "unmanaged") return options;  // hands off
  options.set_up_guest = [&prepared](int rootfs_fd, Owner owner, const StartOptions::Warn& warn) {
    const guest::GuestRoot root(rootfs_fd, owner);
    guest::Report report;
    const auto tell = [&] {
      for (const auto& warning : report.warnings) warn(warning);
    };
    try {
      guest::setup_on_start(root, make_guest_settings(prepared.config.main, prepared.plan.spec.unprivileged),
                            report);
    } catch (...) {
      tell();
      throw;
    }
    tell();
  };
  return options;
}

StartPreparation prepare(CommandContext& context, const ConfigStore& store, Trace& trace) {
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
  warn_about_pending(context, config);
  return prepare_start(context, std::move(config), trace);
}

}  // namespace

int command_start(CommandContext& context) {
  Trace trace(TraceLane::command, context.options().has("trace") || context.options().flag("timing"));
  const ConfigStore store(context.sysroot());
  const auto lock = [&] {
    const auto span = trace.span("take the lock");
    return store.lock(context.vmid(), context.err());
  }();
  const StartPreparation prepared = prepare(context, store, trace);
  try {
    const auto warnings = start_container(prepared.plan, start_options(context, prepared, trace));
    for (const auto& warning : warnings) context.warn(warning);
  } catch (const Error& error) {
    show_trace(context, trace);
    throw error.with_context(formatted("startup for container '{}' failed", context.vmid()));
  }
  show_trace(context, trace);
  return 0;
}

}  // namespace hutch::cli
