#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/guest_settings.h"
#include "cli/lowering_context.h"
#include "cli/plan_output.h"
#include "cli/start_preparation.h"
#include "config/lower.h"
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

}  // namespace

int command_plan(CommandContext& context) {
  const auto format = context.options().value("output-format").value_or("text");
  if (format != "text" && format != "json")
    raise_problems({{"output-format", "'" + format + "' is none of json, text"}});

  const ConfigStore store(context.sysroot());
  config::Diagnostics diagnostics;
  const auto config = load_config(context, store, context.vmid(), diagnostics);
  Trace untraced(TraceLane::command, false);
  const StartPlan plan = prepare_start(context, config, untraced);
  const Planner planner = planner_like(plan, context.sysroot());
  const auto lines = trace_lines(config, diagnostics, planner(config), planner);
  context.print(format == "json" ? plan_json(plan, lines) : plan_text(plan, lines));
  return 0;
}

}  // namespace hutch::cli
