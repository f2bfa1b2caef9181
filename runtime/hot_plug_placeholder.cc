#include "base/error.h"
#include "runtime/device_hot_plug.h"
#include "runtime/link_hot_plug.h"
#include "runtime/volume_hot_plug.h"

// Placeholder until the links and volumes helpers' work is merged.
namespace hutch {

void add_link(const Sysroot&, const ContainerState&, const LinkSpec&) {
  throw Error("placeholder: links cannot be plugged");
}
void remove_link(const Sysroot&, const ContainerState&, const LinkSpec&) {
  throw Error("placeholder: links cannot be plugged");
}
void change_link(const Sysroot&, const ContainerState&, const LinkSpec&, const LinkSpec&) {
  throw Error("placeholder: links cannot be plugged");
}
void add_volume(const Sysroot&, const ContainerSpec&, const ContainerState&, const VolumeSpec&) {
  throw Error("placeholder: volumes cannot be plugged");
}
void remove_volume(const Sysroot&, const ContainerSpec&, const ContainerState&, const VolumeSpec&) {
  throw Error("placeholder: volumes cannot be plugged");
}
void add_device(const Sysroot&, const ContainerSpec&, const ContainerState&, const DeviceSpec&) {
  throw Error("placeholder: devices cannot be plugged");
}
void remove_device(const Sysroot&, const ContainerSpec&, const ContainerState&, const DeviceSpec&) {
  throw Error("placeholder: devices cannot be plugged");
}

}  // namespace hutch
