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

StartPlan prepare_start(CommandContext& context, const config::ContainerConfig& config, Trace& trace,
                        const AheadFunction& ahead) {
  const ContainerSpec spec = [&] {
    const auto span = trace.span("lower the config");
    return lower_or_refuse(context, config);
  }();
  auto cgroups = [&] {
    const auto span = trace.span("look at the cgroups");
    return cgroupv2::detect_unified();
  }();
  if (ahead) ahead(make_plan_ahead(spec, cgroups, context.sysroot()));
  cgroupv2::add_v1_hierarchies(cgroups);
  const HostFacts facts = [&] {
    const auto span = trace.span("look at the host");
    return gather_host_facts(spec, std::move(cgroups));
  }();
  seccomp::BpfProgram filter;
  if (!spec.seccomp.policy.empty()) {
    const auto span = trace.span("compile the seccomp policy, or find it in the cache");
    filter = seccomp::load_or_compile(
        spec.seccomp.policy, spec.seccomp.origin, context.sysroot().path("var/cache/hutch/seccomp"),
        spec.seccomp.notify_proxies.empty() ? seccomp::Notify::refuse : seccomp::Notify::forward);
  }
  const auto span = trace.span("plan the start");
  return make_plan(spec, facts, std::move(filter), context.sysroot());
}

}  // namespace hutch::cli
