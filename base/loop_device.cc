#include "base/loop_device.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

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

bool has_file(int device, const struct stat& file) {
  loop_info64 info{};
  if (::ioctl(device, LOOP_GET_STATUS64, &info) < 0) {
    if (errno == ENXIO) return false;  // it has cleared itself meanwhile
    throw_errno("cannot ask for the file of a loop device");
  }
  return info.lo_device == file.st_dev && info.lo_inode == file.st_ino;
}

// No descriptor: the device is being detached (drivers/block/loop.c, lo_open).
UniqueFd open_loop_device(const std::string& path, int access) {
  UniqueFd device(::open(path.c_str(), access | O_CLOEXEC));
  if (!device && errno != ENXIO) throw_errno(formatted("cannot open '{}'", path));
  return device;
}

// The device that has the file open at `backing`. sysfs tells the name of each device's file in the same
// words as /proc tells ours; only an unattached device has no such attribute.
std::optional<LoopDevice> find_attached(int backing, bool read_only) {
  struct stat file {};
  check(::fstat(backing, &file), "cannot stat an image");
  char name[PATH_MAX];
  const ssize_t length = check(::readlink(formatted("/proc/self/fd/{}", backing).c_str(), name, sizeof name),
                               "cannot read the name of an image");
  const std::string_view wanted(name, static_cast<std::size_t>(length));
  const std::unique_ptr<DIR, int (*)(DIR*)> blocks(::opendir("/sys/block"), ::closedir);
  if (!blocks) throw_errno("cannot list '/sys/block'");
  while (const dirent* entry = ::readdir(blocks.get())) {
    const std::string_view device_name = entry->d_name;
    if (!device_name.starts_with("loop")) continue;
    const auto attached =
        read_file_if_exists(::dirfd(blocks.get()), formatted("{}/loop/backing_file", device_name));
    if (!attached || trim(*attached) != wanted) continue;
    LoopDevice device;
    device.path = formatted("/dev/{}", device_name);
    device.fd = open_loop_device(device.path, O_RDONLY);
    if (!device.fd || !has_file(device.fd.get(), file)) continue;
    int locked = 0;
    check(::ioctl(device.fd.get(), BLKROGET, &locked), formatted("cannot look at {}", device.path));
    if (locked != 0 && !read_only) {
      throw Error(formatted("{} has '{}' attached read-only", device.path, wanted), EBUSY,
                  "unmount it, or detach it with 'losetup -d'");
    }
    return device;
  }
  return std::nullopt;
}

}  // namespace

LoopDevice attach_loop_device(const std::string& image, bool read_only) {
  const int access = read_only ? O_RDONLY : O_RDWR;
  const UniqueFd backing = open_file(AT_FDCWD, image, access);
  if (auto attached = find_attached(backing.get(), read_only)) return std::move(*attached);
  const UniqueFd control = open_loop_control();
  loop_config config{};
  config.fd = static_cast<__u32>(backing.get());
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
  std::memcpy(config.info.lo_file_name, image.data(), std::min<std::size_t>(image.size(), LO_NAME_SIZE - 1));
  // LOOP_CTL_GET_FREE only names a candidate; another process may take it first (EBUSY), and leave it again.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int number = check(::ioctl(control.get(), LOOP_CTL_GET_FREE), "cannot find a free loop device");
    LoopDevice device;
    device.path = formatted("/dev/loop{}", number);
    device.fd = open_loop_device(device.path, access);
    if (!device.fd) continue;
    if (::ioctl(device.fd.get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) throw_errno(formatted("cannot attach '{}' to {}", image, device.path));
  }
  throw Error(formatted("cannot attach '{}' to a loop device", image), EBUSY, "all loop devices are taken");
}

}  // namespace hutch
