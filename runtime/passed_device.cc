#include "runtime/passed_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

// Documentation/admin-guide/devices.txt
constexpr DeviceNumber kLoopControl{'c', 10, 237};

}  // namespace

DeviceNumber find_device(const DeviceSpec& device) {
  struct stat status {};
  if (::stat(device.path.c_str(), &status) < 0) {
    throw Error(formatted("{}: cannot find the device '{}'", device.key, device.path), errno,
                "connect the device, load its driver, or remove the line", device.origin);
  }
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw Error(formatted("{}: '{}' is no device", device.key, device.path), 0,
                "name a character or block device; directories are shared with an mp line", device.origin);
  }
  const DeviceNumber number{S_ISBLK(status.st_mode) ? 'b' : 'c', ::major(status.st_rdev),
                            ::minor(status.st_rdev)};
  if (number == kLoopControl) {
    throw Error(formatted("{}: '{}' controls the loop devices of the whole host and is not passed on",
                          device.key, device.path),
                EPERM, "remove the line", device.origin);
  }
  return number;
}

void make_device_node(int directory, const std::string& name, const DeviceSpec& device,
                      const DeviceNumber& number, const IdMap& id_map) {
  const auto uid = id_map.host_uid(device.uid);
  const auto gid = id_map.host_gid(device.gid);
  if (!uid || !gid) {
    throw Error(formatted("{}: the id map has no {} {}", device.key, uid ? "gid" : "uid",
                          uid ? device.gid : device.uid),
                EINVAL, "choose an id of the container's, or map it", device.origin);
  }
  const auto done = [&](int result) {
    if (result == 0) return;
    const int saved = errno;
    throw Error(formatted("{}: cannot make the node {}", device.key, device.path), saved, "", device.origin);
  };
  const mode_t type = number.type == 'b' ? S_IFBLK : S_IFCHR;
  done(::mknodat(directory, name.c_str(), type, ::makedev(number.major, number.minor)));
  done(::fchownat(directory, name.c_str(), *uid, *gid, AT_SYMLINK_NOFOLLOW));
  // Last: mknod(2) applies the umask, and a change of the owner clears bits.
  done(::fchmodat(directory, name.c_str(), device.mode, 0));
}

std::vector<cgroupv2::DeviceRule> device_rules(const DeviceSpec& device, const DeviceNumber& number) {
  return cgroupv2::rules_of_passed_device(number.type, number.major, number.minor, device.deny_write,
                                          device.origin);
}

std::string print_device_number(const DeviceNumber& number) {
  return formatted("{} {}:{}", number.type, number.major, number.minor);
}

DeviceNumber parse_device_number(const std::string& text) {
  const auto colon = text.find(':');
  if (text.size() > 2 && colon != text.npos && (text[0] == 'b' || text[0] == 'c') && text[1] == ' ') {
    const auto major = parse_unsigned(std::string_view(text).substr(2, colon - 2));
    const auto minor = parse_unsigned(std::string_view(text).substr(colon + 1));
    if (major && minor) {
      return {text[0], static_cast<unsigned>(*major), static_cast<unsigned>(*minor)};
    }
  }
  throw Error(formatted("'{}' is not the number of a device", text), EINVAL);
}

}  // namespace hutch
