#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// fsopen(2), fsmount(2), loop(4). The mount stays detached: it reaches the child as a descriptor.
namespace hutch::floor_program {

namespace {

// A loop device that clears itself when the file system on it is gone.
int attach_loop_device(const char* image, Path& device) {
  const int file = open(image, O_RDWR | O_CLOEXEC);
  if (file < 0) fail("open", image);
  const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) fail("open", "/dev/loop-control");
  loop_config config = {};
  config.fd = static_cast<unsigned>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  for (;;) {
    const int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) fail("find a free loop device for", image);
    snprintf(device.text, sizeof device.text, "/dev/loop%d", number);
    const int loop = open(device.text, O_RDWR | O_CLOEXEC);
    if (loop < 0) fail("open", device.text);
    const bool done = ioctl(loop, LOOP_CONFIGURE, &config) == 0;
    // EBUSY: somebody else took that device in between.
    if (!done && errno != EBUSY) fail("attach", image);
    if (done) {
      close(control);
      close(file);
      return loop;
    }
    close(loop);
  }
}

struct Setting {
  const char* name;
  const char* value;
};

int make_mount(const char* type, const Setting* settings, size_t count) {
  const int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) fail("make a file system of type", type);
  for (size_t i = 0; i < count; ++i) {
    if (fsconfig(context, FSCONFIG_SET_STRING, settings[i].name, settings[i].value, 0) != 0)
      fail("set an option of the rootfs to", settings[i].value);
  }
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) fail("make the rootfs of type", type);
  const int mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
  if (mount < 0) fail("mount the rootfs of type", type);
  close(context);
  return mount;
}

int open_overlay(const char* directory) {
  Path paths[3];
  const char* const names[] = {"lower", "upper", "work"};
  for (int i = 0; i < 3; ++i) snprintf(paths[i].text, sizeof paths[i].text, "%s/%s", directory, names[i]);
  const Setting settings[] = {
      {"lowerdir", paths[0].text}, {"upperdir", paths[1].text}, {"workdir", paths[2].text}};
  return make_mount("overlay", settings, 3);
}

}  // namespace

int open_rootfs(const Container& container) {
  if (container.overlay != nullptr) return open_overlay(container.overlay);
  if (container.image == nullptr) return -1;
  Path device;
  const int loop = attach_loop_device(container.image, device);
  const Setting settings[] = {{"source", device.text}};
  const int mount = make_mount("ext4", settings, 1);
  close(loop);
  return mount;
}

}  // namespace hutch::floor_program
