#pragma once

#include <cstdint>
#include <functional>

#include "base/trace.h"
#include "cli/command.h"
#include "cli/config_store.h"
#include "config/container_config.h"
#include "runtime/start_plan.h"

namespace hutch::cli {

// Gets the plan as soon as it has its first steps (begin_plan).
using AheadFunction = std::function<void(const StartPlan& plan)>;

// config -> spec -> plan. What is set without effect is told as warnings; a setting that must not be left out
// silently throws, as does everything that cannot be started. Changes nothing but the seccomp cache. Each
// stage is a span of the trace.
void prepare_start(CommandContext& context, const config::ContainerConfig& config, Trace& trace,
                   StartPlan& plan, const AheadFunction& ahead = {});

}  // namespace hutch::cli
