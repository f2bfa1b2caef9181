#include "cli/start_preparation.h"

#include "base/error.h"
#include "base/format.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "runtime/planner.h"
#include "seccomp/cache.h"

namespace hutch::cli {

namespace {

ContainerSpec lower_or_refuse(CommandContext& context, const config::ContainerConfig& config) {
  auto result = config::lower(config, make_lowering_context(context.sysroot(), config.vmid));
  for (const auto& diagnostic : result.diagnostics) {
    if (diagnostic.severity == config::Diagnostic::Severity::warning) context.warn(diagnostic.text());
  }
  for (const auto& diagnostic : result.diagnostics) {
    if (diagnostic.severity != config::Diagnostic::Severity::error) continue;
    throw Error(diagnostic.message, 0, "remove the line to start without it", diagnostic.origin);
  }
  // Where hooks find it, by the link to this node's configs.
  result.spec.config_path = context.sysroot().path(formatted("etc/pve/lxc/{}.conf", config.vmid));
  return std::move(result.spec);
}

}  // namespace

void prepare_start(CommandContext& context, const config::ContainerConfig& config, Trace& trace,
                   StartPlan& plan, const AheadFunction& ahead) {
  plan = [&] {
    const auto span = trace.span("lower the config");
    return begin_plan(lower_or_refuse(context, config), context.sysroot());
  }();
  if (ahead) ahead(plan);
  const auto facts = [&] {
    const auto span = trace.span("look at the host");
    return gather_host_facts(plan.spec, cgroupv2::detect_layout());
  }();
  const auto& policy = plan.spec.seccomp;
  seccomp::BpfProgram filter;
  if (!policy.policy.empty()) {
    const auto span = trace.span("compile the seccomp policy, or find it in the cache");
    filter = seccomp::load_or_compile(
        policy.policy, policy.origin, context.sysroot().path("var/cache/hutch/seccomp"),
        policy.notify_proxies.empty() ? seccomp::Notify::refuse : seccomp::Notify::forward);
  }
  const auto span = trace.span("plan the start");
  complete_plan(plan, facts, std::move(filter));
}

}  // namespace hutch::cli
