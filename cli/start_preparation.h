#pragma once

#include <cstdint>

#include "base/trace.h"
#include "cli/command.h"
#include "cli/config_store.h"
#include "config/container_config.h"
#include "runtime/start_plan.h"

namespace hutch::cli {

// A config compiled into the plan of its start on this host.
struct StartPreparation {
  config::ContainerConfig config;
  StartPlan plan;
};

// config -> spec -> plan. What is set without effect is told as warnings; a setting that must not be left out
// silently throws, as does everything that cannot be started. Changes nothing but the seccomp cache. Each
// stage is a span of the trace.
StartPreparation prepare_start(CommandContext& context, config::ContainerConfig config, Trace& trace);

}  // namespace hutch::cli
