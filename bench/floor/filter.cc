#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// seccomp(2).
namespace hutch::floor_program {

namespace {

// Twenty-five denied calls, as the default policy has them on one architecture; the other two of an x86-64
// host are told apart by the first two instructions.
constexpr int kDenied[] = {
    SYS_kexec_load,   SYS_open_by_handle_at, SYS_init_module, SYS_finit_module,    SYS_delete_module,
    SYS_keyctl,       SYS_add_key,           SYS_request_key, SYS_kexec_file_load, SYS_bpf,
    SYS_userfaultfd,  SYS_perf_event_open,   SYS_acct,        SYS_quotactl,        SYS_reboot,
    SYS_swapon,       SYS_swapoff,           SYS_nfsservctl,  SYS_lookup_dcookie,  SYS_vhangup,
    SYS_settimeofday, SYS_clock_settime,     SYS_adjtimex,    SYS_clock_adjtime,   SYS_syslog,
};

}  // namespace

sock_fprog built_in_filter() {
  static sock_filter code[sizeof kDenied / sizeof kDenied[0] + 8];
  size_t length = 0;
  const auto add = [&length](unsigned operation, uint32_t value, size_t on_true, size_t on_false) {
    code[length++] = {static_cast<uint16_t>(operation), static_cast<uint8_t>(on_true),
                      static_cast<uint8_t>(on_false), value};
  };
  const size_t count = sizeof kDenied / sizeof kDenied[0];
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch), 0, 0);
#if defined(__x86_64__)
  add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, count + 1);
#elif defined(__aarch64__)
  add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 0, count + 1);
#else
#error "floor: the built-in filter knows x86-64 and arm64"
#endif
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr), 0, 0);
  for (size_t i = 0; i < count; ++i)
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(kDenied[i]), count - i, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  return {static_cast<unsigned short>(length), code};
}

sock_fprog filter_from_file(const char* path) {
  static sock_filter code[BPF_MAXINSNS];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  const ssize_t size = read(fd, code, sizeof code);
  if (size < 0) fail("read", path);
  close(fd);
  const size_t length = static_cast<size_t>(size) / sizeof code[0];
  if (length == 0 || static_cast<size_t>(size) % sizeof code[0] != 0) {
    errno = EINVAL;
    fail("take for a filter", path);
  }
  return {static_cast<unsigned short>(length), code};
}

}  // namespace hutch::floor_program
