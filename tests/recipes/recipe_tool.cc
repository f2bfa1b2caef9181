// What the recipes' checks need inside a container and busybox has not. Exit status 0: it worked.
//
//   recipe_tool tun NAME        makes the TUN device NAME
//   recipe_tool fuse DIRECTORY  mounts a FUSE file system there and unmounts it
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

int failed(const char* what) {
  std::perror(what);
  return 1;
}

int make_tun(const char* name) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return failed("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (::ioctl(fd, TUNSETIFF, &request) != 0) return failed("TUNSETIFF");
  return ::access((std::string("/sys/class/net/") + name).c_str(), F_OK) == 0 ? 0 : failed(name);
}

// The kernel answers the mount without asking the file system's server.
int mount_fuse(const char* directory) {
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return failed("/dev/fuse");
  const std::string options = "fd=" + std::to_string(fd) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount("recipe", directory, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    return failed("mount");
  return ::umount2(directory, MNT_DETACH) == 0 ? 0 : failed("umount");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc == 3 ? argv[1] : "";
  if (command == "tun") return make_tun(argv[2]);
  if (command == "fuse") return mount_fuse(argv[2]);
  std::fprintf(stderr, "usage: recipe_tool tun NAME | fuse DIRECTORY\n");
  return 2;
}
