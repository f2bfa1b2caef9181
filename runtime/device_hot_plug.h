#pragma once

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

namespace hutch {

// Placeholder for the volumes helper's header: same signatures.
void add_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                const DeviceSpec& device);
void remove_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                   const DeviceSpec& device);

}  // namespace hutch
