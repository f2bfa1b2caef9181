#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/foreign_formats.h"
#include "cli/guest_settings.h"
#include "cli/lowering_context.h"
#include "cli/option_clashes.h"
#include "cli/pending_application.h"
#include "cli/plan_output.h"
#include "cli/start_preparation.h"
#include "config/lower.h"
#include "config/options.h"
#include "config/pending.h"
#include "config/property_formats.h"
#include "config/value_types.h"
#include "runtime/planner.h"

namespace hutch::cli {

namespace {

// Plans variants of a config for the host that `start` was planned for. The compiled filter is taken over:
// which policy it has does not show in a plan.
Planner planner_like(const StartPlan& start, const Sysroot& sysroot) {
  HostFacts facts = gather_host_facts(start.spec, start.cgroups);
  return [&start, &sysroot, facts = std::move(facts),
          context = make_lowering_context(sysroot, start.spec.vmid)](const config::ContainerConfig& config) {
    auto lowered = config::lower(config, context);
    const bool filtered = !lowered.spec.seccomp.policy.empty();
    auto guest = make_guest_settings(config.main, lowered.spec.unprivileged);
    auto filter = filtered ? start.child.filter : std::vector<sock_filter>();
    return PlannedStart{make_plan(lowered.spec, facts, std::move(filter), sysroot), std::move(guest),
                        std::move(lowered.diagnostics)};
  };
}

// "/backup/101.conf" -> 101
std::optional<std::uint32_t> number_in(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return config::parse_vmid(path.substr(0, path.find('.')));
}

// The next start takes over what is queued (pct-conf 8). Nothing is made for it here.
void take_over_pending(CommandContext& context, config::ContainerConfig& config) {
  config::drop_unchanged(config);
  for (const auto& change : config::pending_changes(config)) {
    try {
      check_stored_value(config, change);
      const auto* option = config::find_option(change.key);
      const bool is_mount_point = option != nullptr && option->name == "mp";
      if (change.to && is_mount_point) {
        const auto mount_point = config::parse_mount_point(*change.to);
        check_mount_path(mount_point.mp);
        if (config::parse_new_volume(mount_point.volume)) {
          context.warn(formatted("{}: a new volume is made at the start; it is not planned", change.key));
          continue;
        }
      }
      config::apply_change(config, change);
    } catch (const Error& error) {
      const auto failed = failed_change(config, change.key, error);
      context.warn(formatted("unable to apply pending change {} : {}", failed.key, failed.reason));
    }
  }
}

// The words name a container of this host by its vmid, or a file of any format.
config::ContainerConfig planned_config(CommandContext& context, const ConfigStore& store,
                                       config::Diagnostics& diagnostics) {
  const std::string& word = context.positional().front();
  const auto format = context.options().value("format");
  const auto number = context.options().integer("vmid");
  if (const auto vmid = config::parse_vmid(word)) {
    if (format || number) raise_problems({{format ? "format" : "vmid", "only with a file"}});
    auto config = load_config(context, store, *vmid, diagnostics);
    take_over_pending(context, config);
    return config;
  }
  // A number is no file's name.
  if (parse_unsigned(word)) raise_problems({{"vmid", check_vmid(word).value_or("")}});
  const auto vmid = number ? static_cast<std::uint32_t>(*number) : number_in(word).value_or(100);
  auto config = load_any_config(context, word, vmid, format.value_or(""));
  take_over_pending(context, config);
  return config;
}

}  // namespace

int command_plan(CommandContext& context) {
  const auto format = context.options().value("output-format").value_or("text");
  if (format != "text" && format != "json")
    raise_problems({{"output-format", "'" + format + "' is none of json, text"}});

  const ConfigStore store(context.sysroot());
  config::Diagnostics diagnostics;
  const auto config = planned_config(context, store, diagnostics);
  Trace untraced(TraceLane::command, false);
  StartPlan plan;
  prepare_start(context, config, untraced, plan);
  const Planner planner = planner_like(plan, context.sysroot());
  const auto lines = trace_lines(config, diagnostics, planner(config), planner);
  context.print(format == "json" ? plan_json(plan, lines) : terminal_safe_lines(plan_text(plan, lines)));
  return 0;
}

}  // namespace hutch::cli
