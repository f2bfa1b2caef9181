#pragma once

#include "runtime/container_spec.h"
#include "runtime/host_facts.h"

namespace hutch {

// Refuses what no start could get right, before anything is touched: throws Error with the config line and
// what to do. Pure.
void validate(const ContainerSpec& spec, const HostFacts& facts);

// The part of it about ptys: /dev is begun before the host is looked at.
void refuse_terminals(const ContainerSpec& spec);

// The part of it about what two of the container's things cannot have in common: an interface's name, an
// image. For what is added while the container runs.
void refuse_clashes(const ContainerSpec& spec);

}  // namespace hutch
