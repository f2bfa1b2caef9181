#include "base/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch {

namespace {

constexpr const char* kLoopControl = "/dev/loop-control";

// loop(4): the node comes with the module, and belongs to kernels that have the driver.
UniqueFd open_loop_control() {
  UniqueFd control(::open(kLoopControl, O_RDWR | O_CLOEXEC));
  if (control) return control;
  const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO;
  throw_errno(formatted("cannot open '{}'", kLoopControl),
              missing ? "image volumes need loop devices: load the module with 'modprobe loop'" : "");
}

}  // namespace

LoopDevice attach_loop_device(const std::string& image, bool read_only) {
  const int access = read_only ? O_RDONLY : O_RDWR;
  const UniqueFd backing = open_file(AT_FDCWD, image, access);
  const UniqueFd control = open_loop_control();
  loop_config config{};
  config.fd = static_cast<__u32>(backing.get());
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
  std::memcpy(config.info.lo_file_name, image.data(), std::min<std::size_t>(image.size(), LO_NAME_SIZE - 1));
  // LOOP_CTL_GET_FREE only names a candidate; another process may take it first (EBUSY).
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int number = check(::ioctl(control.get(), LOOP_CTL_GET_FREE), "cannot find a free loop device");
    LoopDevice device;
    device.path = formatted("/dev/loop{}", number);
    device.fd = open_file(AT_FDCWD, device.path, access);
    if (::ioctl(device.fd.get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) throw_errno(formatted("cannot attach '{}' to {}", image, device.path));
  }
  throw Error(formatted("cannot attach '{}' to a loop device", image), EBUSY, "all loop devices are taken");
}

}  // namespace hutch
