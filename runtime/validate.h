#pragma once

#include "runtime/container_spec.h"
#include "runtime/host_facts.h"

namespace hutch {

// Refuses what no start could get right, before anything is touched: throws Error with the config line and
// what to do. Pure.
void validate(const ContainerSpec& spec, const HostFacts& facts);

}  // namespace hutch
