#include "storage/confinement.h"

#include <iconv.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace hutch {

namespace {

// close_range(2) over an empty range is an error, so neighbours in `keep` need the check.
void close_between(unsigned first, unsigned last) {
  if (first > last) return;
  check(::syscall(SYS_close_range, first, last, 0U), "cannot close inherited descriptors");
}

void keep_capabilities(std::initializer_list<int> kept) {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  check(::syscall(SYS_capget, &header, data), "cannot read capabilities");
  __user_cap_data_struct reduced[_LINUX_CAPABILITY_U32S_3]{};
  for (const int capability : kept) {
    const auto word = static_cast<unsigned>(capability) / 32U;
    const __u32 bit = 1U << (static_cast<unsigned>(capability) % 32U);
    reduced[word].permitted |= data[word].permitted & bit;
    reduced[word].effective = reduced[word].permitted;
  }
  check(::syscall(SYS_capset, &header, reduced), "cannot drop capabilities");
}

}  // namespace

void close_other_fds(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned first = STDERR_FILENO + 1;
  for (const int fd : keep) {
    if (fd <= STDERR_FILENO) continue;
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first) close_between(first, kept - 1);
    first = kept + 1;
  }
  close_between(first, ~0U);
}

void confine_to(int root_fd) {
  check(::fchdir(root_fd), "cannot enter the rootfs");
  check(::chroot("."), "cannot make the rootfs the root directory");
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "cannot set no_new_privs");
  keep_capabilities(
      {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP, CAP_MKNOD});
  // Other processes with the container's ids shall not look into this one.
  check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "cannot become undumpable");
}

void load_charset_tables() {
  // Any successful open reads the configuration, once for the life of the process; ASCII itself needs no
  // module.
  const iconv_t converter = ::iconv_open("ANSI_X3.4-1968", "UTF-8");
  if (converter != reinterpret_cast<iconv_t>(-1)) ::iconv_close(converter);
}

}  // namespace hutch
