#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

// Prints the description of its session keyring (keyctl(2), KEYCTL_DESCRIBE). Linked statically, to be run
// inside a container that has nothing but busybox.
int main() {
  char text[256] = {};
  if (::syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof text - 1) < 0) {
    std::perror("keyctl");
    return 1;
  }
  return std::puts(text) < 0 ? 1 : 0;
}
