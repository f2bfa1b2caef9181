#include "cli/start_preparation.h"

#include "base/error.h"
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
  return std::move(result.spec);
}

}  // namespace

StartPreparation prepare_start(CommandContext& context, config::ContainerConfig config) {
  const ContainerSpec spec = lower_or_refuse(context, config);
  const HostFacts facts = gather_host_facts(spec);
  seccomp::BpfProgram filter;
  if (!spec.seccomp.policy.empty()) {
    filter = seccomp::load_or_compile(spec.seccomp.policy, spec.seccomp.origin,
                                      context.sysroot().path("var/cache/hutch/seccomp"));
  }
  StartPlan plan = make_plan(spec, facts, std::move(filter), context.sysroot());
  return {std::move(config), std::move(plan)};
}

}  // namespace hutch::cli
