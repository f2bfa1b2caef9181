#pragma once

#include <string>
#include <vector>

#include "cli/plan_lines.h"
#include "runtime/start_plan.h"

// A plan with the config lines that led to its steps, for people and for programs.
namespace hutch::cli {

// print_plan, then the lines with their steps, then those that led to none, with the reason.
std::string plan_text(const StartPlan& plan, const std::vector<PlanLine>& lines);

// One JSON object:
//   "vmid"   number
//   "config" the config's name, as origins give it
//   "host"   the host's steps in their order: "number" (from 1), "lane" ("main" or "side"), "text", and where
//            there is one "undo", "hint", "origin"
//   "child"  the steps of the first process: "number", "text", and where there is one "hint", "origin"
//   "lines"  "origin", "text", "steps" (of "process" "host" or "child", and "number"), and "reason" where
//   there
//            are none
// An origin is {"source", "line"}; "line" is missing where the source has no lines ("default"). Members may
// be added, but none is renamed or gets another type.
std::string plan_json(const StartPlan& plan, const std::vector<PlanLine>& lines);

}  // namespace hutch::cli
