#pragma once

#include <cstdint>
#include <functional>

#include "base/trace.h"
#include "cli/command.h"
#include "cli/config_store.h"
#include "config/container_config.h"
#include "runtime/start_plan.h"

namespace hutch::cli {

// Gets the beginning of a plan (make_plan_ahead) before the rest is planned.
using AheadFunction = std::function<void(StartPlan plan)>;

// config -> spec -> plan. What is set without effect is told as warnings; a setting that must not be left out
// silently throws, as does everything that cannot be started. Changes nothing but the seccomp cache. Each
// stage is a span of the trace.
StartPlan prepare_start(CommandContext& context, const config::ContainerConfig& config, Trace& trace,
                        const AheadFunction& ahead = {});

}  // namespace hutch::cli
