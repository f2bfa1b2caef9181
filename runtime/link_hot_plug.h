#pragma once

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

namespace hutch {

// Placeholder for the links helper's header: same signatures.
void add_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link);
void remove_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link);
void change_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& from,
                 const LinkSpec& to);

}  // namespace hutch
