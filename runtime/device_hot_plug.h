#pragma once

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/hot_plug.h"
#include "runtime/state.h"

// Device nodes of the host's in a running container.
namespace hutch {

// Lets the container use the device and shows its node at device.path inside, as a mount over an empty file
// (made there, like missing directories, for the container's root): a node can be made wherever the guest
// has mounted its /dev, and the guest can make none itself. The device filter of the container's cgroup is
// replaced in one step.
// `spec` is the running container's, with or without the device in it; its device policy is in force. The
// caller holds the container's lock, and its config says that nothing is plugged in under this key: what is
// there was left by somebody who was killed, and is taken away first. Throws Error; then nothing is changed.
void add_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                const DeviceSpec& device, const HotPlugTest& test = {});

// Takes back what add_device did: the node, the file and directories made for it, the rules of the device
// (other rules of `spec` stay in force).
void remove_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                   const DeviceSpec& device);

}  // namespace hutch
