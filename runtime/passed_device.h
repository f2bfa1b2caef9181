#pragma once

#include <string>
#include <vector>

#include "cgroupv2/resources.h"
#include "runtime/container_spec.h"

// A device node of the host's that a container gets (`dev[n]`).
namespace hutch {

struct DeviceNumber {
  char type = 'c';  // 'b' or 'c'
  unsigned major = 0;
  unsigned minor = 0;
  bool operator==(const DeviceNumber&) const = default;
};

// The device at device.path on the host (symlinks are followed there). Throws, with the device's origin, when
// it is missing or no device, and for loop-control (10:237), with which the container could attach any file
// it can write as a disk of the host's.
DeviceNumber find_device(const DeviceSpec& device);

// Makes the node `name` below `directory`, with the device's mode, owned by the host ids of its owner inside.
void make_device_node(int directory, const std::string& name, const DeviceSpec& device,
                      const DeviceNumber& number, const IdMap& id_map);

std::vector<cgroupv2::DeviceRule> device_rules(const DeviceSpec& device, const DeviceNumber& number);

// "c 10:200"
std::string print_device_number(const DeviceNumber& number);
// Throws EINVAL.
DeviceNumber parse_device_number(const std::string& text);

}  // namespace hutch
