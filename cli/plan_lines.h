#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/origin.h"
#include "config/container_config.h"
#include "guest/settings.h"
#include "runtime/start_plan.h"

// Which lines of a config led to which steps of a start.
namespace hutch::cli {

// A step of a plan, counted from 1 as print_plan does.
struct StepNumber {
  bool child = false;
  std::size_t number = 0;
  bool operator==(const StepNumber&) const = default;
};

struct PlanLine {
  Origin origin;
  std::string text;  // "memory: 512"; empty for a line of an included file
  std::vector<StepNumber> steps;
  std::string reason;  // why there are none
  bool operator==(const PlanLine&) const = default;
};

// What a config comes to. `plan` holds the spec.
struct PlannedStart {
  StartPlan plan;
  guest::GuestSettings guest;
  config::Diagnostics diagnostics;  // of the lowering
};

// Plans a config for the host at hand; throws Error for one that cannot be started.
using Planner = std::function<PlannedStart(const config::ContainerConfig& config)>;

// Every line of the main section, in their order. The steps of a line are those that carry it as their
// origin; those of a line without any are found by planning the config without it, or, where there is no
// start without it, are those of its nearest relative (the same link, the same key). `read` is what the
// reader said: lines that it could not use have their reason there.
std::vector<PlanLine> trace_lines(const config::ContainerConfig& config, const config::Diagnostics& read,
                                  const PlannedStart& start, const Planner& plan);

}  // namespace hutch::cli
