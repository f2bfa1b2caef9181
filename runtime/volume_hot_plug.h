#pragma once

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/hot_plug.h"
#include "runtime/state.h"

// Mount points in a running container.
namespace hutch {

// Mounts the volume at volume.target inside. Missing directories are made there (0755, the container's root);
// no part of the path may be a symlink. A file system on an image or device is mounted in the supervisor's
// mount namespace first and stays there, so that the container, by unmounting it, does not let go of the loop
// device.
// `spec` is the running container's, with or without the volume in it. The caller holds the container's
// lock, and its config says that nothing is plugged in under this key: if there is, it was left by somebody
// who was killed before the config could be written, and is taken away first. Throws Error; then nothing is
// changed.
void add_volume(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                const VolumeSpec& volume, const HotPlugTest& test = {});

// Takes back what add_volume did: the mount, also when it is in use (it then goes with its last user), and
// the directories made for it. Fine when the guest has unmounted it already.
void remove_volume(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                   const VolumeSpec& volume);

}  // namespace hutch
