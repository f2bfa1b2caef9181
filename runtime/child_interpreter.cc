#include "runtime/child_interpreter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw_syscall.h"
#include "runtime/child_hook.h"
#include "runtime/child_process.h"
#include "runtime/sync_protocol.h"

// Everything here runs between clone3 and exec, in the memory of the process that plans: no allocation, no
// exceptions, no locks, no library, nor its errno (base/raw_syscall.h).
namespace hutch {

namespace {

constexpr int kUmountDetach = 2;              // MNT_DETACH; <sys/mount.h> clashes with <linux/mount.h>
constexpr unsigned long kShared = 1UL << 20;  // MS_SHARED

// One running program: the image and the step at hand.
class Interpreter : ChildProcess {
 public:
  using ChildProcess::ChildProcess;

  [[noreturn]] void run() {
    // The program may not be planned yet; with this message it is there (and nobody is left to tell when it
    // never comes).
    if (!await(SyncMessage::Type::proceed_mapped)) fail(0, error_);
    std::size_t at = 0;
    note_time(0);
    while (at < image_.step_count) {
      const ChildStep& step = image_.steps[at];
      const bool done = perform(step);
      note_time(at + 1);
      if (done) {
        ++at;
      } else if (may_skip(step)) {
        at = step.skip_to;
      } else {
        fail(at, error_);
      }
    }
    // A program always ends in exec, which does not come back here when it succeeds.
    fail(at - 1, ENOEXEC);
  }

 private:
  int hook_status_ = 0;  // wait status of a hook that failed
  std::size_t hook_log_length_ = 0;

  void note_time(std::size_t cell) {
    if (image_.times == nullptr) return;
    timespec now{};
    raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    image_.times[cell] = now.tv_sec * 1'000'000'000L + now.tv_nsec;
  }

  bool may_skip(const ChildStep& step) const {
    return (step.flags & ChildStep::kOptional) != 0 ||
           ((step.flags & ChildStep::kSkipMissing) != 0 && error_ == ENOENT);
  }

  [[noreturn]] void fail(std::size_t step, int error) {
    SyncMessage message{};
    message.type = SyncMessage::Type::failed;
    message.step = static_cast<std::uint32_t>(step);
    message.error = error;
    message.detail = static_cast<std::uint32_t>(hook_status_);
    // When nobody reads it any more the host side has already given up on us.
    send(message, -1);
    for (;;) raw(SYS_exit_group, 1);
  }

  // Walks `path` component by component, making what is missing; gives an O_PATH descriptor of its end.
  bool make_path(const ChildStep& step) {
    const char* path = text(step.text);
    const long existing = open_below(fd(step.dir), path, O_PATH, 0);
    if (existing >= 0 || error_ != ENOENT) return fill(step.slot, existing);
    long current = open_below(fd(step.dir), ".", O_PATH | O_DIRECTORY, 0);
    while (current >= 0) {
      while (*path == '/') ++path;
      if (*path == '\0') break;
      char name[256];
      std::size_t length = 0;
      while (path[length] != '\0' && path[length] != '/') {
        if (length + 1 >= sizeof name) return abandon(current, ENAMETOOLONG);
        name[length] = path[length];
        ++length;
      }
      name[length] = '\0';
      path += length;
      const bool last = *path == '\0';
      const long next = make_component(static_cast<int>(current), name, step, last);
      const int error = error_;
      close_raw(static_cast<int>(current));
      error_ = error;
      current = next;
    }
    return fill(step.slot, current);
  }

  long make_component(int dir, const char* name, const ChildStep& step, bool last) {
    const bool file = last && (step.flags & ChildStep::kFile) != 0;
    if (file) {
      const long made = raw(SYS_openat, dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0);
      if (made < 0 && error_ != EEXIST) return -1;
      close_raw(static_cast<int>(made));
    } else if (raw(SYS_mkdirat, dir, name, 0755) < 0 && error_ != EEXIST) {
      return -1;
    }
    return open_below(dir, name, O_PATH, 0);
  }

  bool new_filesystem(const ChildStep& step) {
    const long context = raw(SYS_fsopen, text(step.text), FSOPEN_CLOEXEC);
    if (context < 0) return false;
    for (const char* key = text(step.text2); *key != '\0';) {
      const char* value = key + length_of(key) + 1;
      const long result = *value == '\0' ? raw(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, nullptr, 0)
                                         : raw(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
      if (result < 0) return abandon(context, error_);
      key = value + length_of(value) + 1;
    }
    if (raw(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
      return abandon(context, error_);
    const long mount = raw(SYS_fsmount, context, FSMOUNT_CLOEXEC, step.number);
    const int error = error_;
    close_raw(static_cast<int>(context));
    error_ = error;
    return fill(step.slot, mount);
  }

  bool clone_tree(const ChildStep& step, const char* path) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if (*path == '\0') flags |= AT_EMPTY_PATH;
    if ((step.flags & ChildStep::kRecursive) != 0) flags |= AT_RECURSIVE;
    return fill(step.slot, raw(SYS_open_tree, fd(step.dir), path, flags));
  }

  bool set_mount_attr(const ChildStep& step, mount_attr attributes) {
    unsigned flags = AT_EMPTY_PATH;
    if ((step.flags & ChildStep::kRecursive) != 0) flags |= AT_RECURSIVE;
    return raw(SYS_mount_setattr, fd(step.slot), "", flags, &attributes, sizeof attributes) == 0;
  }

  bool set_attributes(const ChildStep& step) {
    mount_attr attributes{};
    attributes.attr_set = step.number;
    attributes.attr_clr = step.number2;
    return set_mount_attr(step, attributes);
  }

  bool set_propagation(const ChildStep& step) {
    mount_attr attributes{};
    attributes.propagation = step.number;
    return set_mount_attr(step, attributes);
  }

  bool attach(const ChildStep& step) {
    const char* path = text(step.text);
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH;
    if (*path == '\0') flags |= MOVE_MOUNT_T_EMPTY_PATH;
    return raw(SYS_move_mount, fd(step.slot), "", fd(step.dir), path, flags) == 0;
  }

  bool write_text(const ChildStep& step, std::uint64_t flags, std::uint64_t mode) {
    const long file = open_below(fd(step.dir), text(step.text), flags, mode);
    if (file < 0) return false;
    const char* content = text(step.text2);
    const std::size_t length = length_of(content);
    const long written = length == 0 ? 0 : raw(SYS_write, file, content, length);
    const int error = written < 0 ? error_ : EIO;
    close_raw(static_cast<int>(file));
    return written == static_cast<long>(length) || refuse(error);
  }

  bool open_pty(const ChildStep& step) {
    const long master = raw(SYS_openat, fd(step.dir), "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (!fill(step.slot, master)) return false;
    int unlocked = 0;
    if (raw(SYS_ioctl, master, TIOCSPTLCK, &unlocked) < 0) return false;
    const auto other = static_cast<Slot>(step.slot + 1);
    if (!fill(other, raw(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC))) return false;
    return raw(SYS_fchmod, fd(other), 0620) == 0;
  }

  bool stdio_from(int descriptor) {
    for (int number = 0; number < 3; ++number) {
      if (raw(SYS_dup3, descriptor, number, 0) < 0) return false;
    }
    return true;
  }

  bool use_as_stdio(const ChildStep& step) {
    return stdio_from(fd(step.slot)) && raw(SYS_ioctl, 0, TIOCSCTTY, 0) == 0;
  }

  bool open_null_stdio(const ChildStep& step) {
    const long null = raw(SYS_openat, fd(step.dir), "null", O_RDWR | O_CLOEXEC);
    if (null < 0) return false;
    const bool done = stdio_from(static_cast<int>(null));
    const int error = error_;
    if (null > 2) close_raw(static_cast<int>(null));
    error_ = error;
    return done;
  }

  // pivot_root(2), the form without a put_old directory: the old root ends up on top of the new one and is
  // then detached. It is entered first, so that "." names it without doubt.
  bool pivot(const ChildStep& step) {
    const long old_root = raw(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old_root < 0) return false;
    const bool done = raw(SYS_fchdir, fd(step.slot)) == 0 && raw(SYS_pivot_root, ".", ".") == 0 &&
                      raw(SYS_fchdir, old_root) == 0 && raw(SYS_umount2, ".", kUmountDetach) == 0 &&
                      raw(SYS_chdir, "/") == 0;
    const int error = error_;
    close_raw(static_cast<int>(old_root));
    error_ = error;
    if (!done) return false;
    // A peer group of its own, so that the container may share mounts among its own namespaces.
    mount_attr attributes{};
    attributes.propagation = kShared;
    return raw(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes) == 0;
  }

  bool join_keyring() {
    // ENOSYS: a kernel without keyrings has none that could leak in.
    return raw(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0 || error_ == ENOSYS;
  }

  bool become_root(const ChildStep& step) {
    if (raw(SYS_setgroups, 0, nullptr) < 0) return false;
    if (raw(SYS_setresgid, step.number, step.number, step.number) < 0) return false;
    if (raw(SYS_setresuid, step.number2, step.number2, step.number2) < 0) return false;
    // Changing ids made us undumpable (proc(5)). It has to stay so while the memory is that of a process with
    // the host's rights, too: a user of the host with our new id could trace us otherwise. A memory of our
    // own may be dumpable, and /proc/self readable to us.
    if ((step.flags & ChildStep::kUndumpable) != 0) return true;
    return image_.shares_memory || raw(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
  }

  // time_namespaces(7): the namespace of unshare(2) is for children; its offsets can be set until somebody is
  // in it, then we enter it ourselves. /proc is still the host's.
  bool enter_time_namespace(const char* offsets) {
    if (raw(SYS_unshare, CLONE_NEWTIME) < 0) return false;
    const long file = raw(SYS_openat, AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const long length = static_cast<long>(length_of(offsets));
    const long written = raw(SYS_write, file, offsets, length);
    const int error = written < 0 ? error_ : EIO;
    close_raw(static_cast<int>(file));
    if (written != length) return refuse(error);
    const long space = raw(SYS_openat, AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (space < 0) return false;
    if (raw(SYS_setns, space, CLONE_NEWTIME) < 0) return abandon(space, error_);
    close_raw(static_cast<int>(space));
    return true;
  }

  bool set_ids(const ChildStep& step) {
    return raw(SYS_setgroups, image_.group_count, image_.groups) == 0 &&
           raw(SYS_setresgid, step.number, step.number, step.number) == 0 &&
           raw(SYS_setresuid, step.number2, step.number2, step.number2) == 0;
  }

  bool drop_bounding(std::uint64_t mask) {
    for (unsigned capability = 0; capability < 64; ++capability) {
      if ((mask >> capability & 1U) == 0) continue;
      if (raw(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return false;
    }
    return true;
  }

  bool give_up_capabilities(std::uint64_t mask) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    if (raw(SYS_capget, &header, sets) < 0) return false;
    for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
      const auto kept = static_cast<std::uint32_t>(~(mask >> (32 * half)));
      sets[half].effective &= kept;
      sets[half].permitted &= kept;
      sets[half].inheritable &= kept;
    }
    return raw(SYS_capset, &header, sets) == 0;
  }

  bool set_label(const ChildStep& step) {
    long file = raw(SYS_openat, fd(step.dir), "thread-self/attr/apparmor/current", O_WRONLY | O_CLOEXEC);
    // Kernels before 5.8 have no directory per LSM.
    if (file < 0 && error_ == ENOENT) {
      file = raw(SYS_openat, fd(step.dir), "thread-self/attr/current", O_WRONLY | O_CLOEXEC);
    }
    if (file < 0) return false;
    return write_and_close(file, text(step.text));
  }

  bool write_attribute(const ChildStep& step) {
    const long file = raw(SYS_openat, fd(step.dir), text(step.text), O_WRONLY | O_CLOEXEC);
    return file >= 0 && write_and_close(file, text(step.text2));
  }

  bool load_filter(const ChildStep& step) {
    sock_fprog program{};
    program.len = static_cast<unsigned short>(image_.filter_length);
    program.filter = const_cast<sock_filter*>(image_.filter);
    const bool listens = (step.flags & ChildStep::kListener) != 0;
    const unsigned flags = listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    const long listener = raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (listener < 0 || !listens) return listener == 0;
    SyncMessage message{};
    message.type = SyncMessage::Type::handed_fd;
    message.detail = static_cast<std::uint32_t>(HandedFd::seccomp_listener);
    const bool sent = send(message, static_cast<int>(listener));
    const int error = error_;
    close_raw(static_cast<int>(listener));
    error_ = error;
    return sent;
  }

  // ENODEV: no core has two threads, so nobody runs beside another.
  bool take_core_cookie() {
    return raw(SYS_prctl, PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD, 0) == 0 ||
           error_ == ENODEV;
  }

  bool change_directory(const char* path) {
    if (raw(SYS_chdir, path) == 0) return true;
    if (error_ != ENOENT) return false;
    if (raw(SYS_mkdirat, AT_FDCWD, path, 0755) < 0) return false;
    return raw(SYS_chdir, path) == 0;
  }

  bool send_slot(const ChildStep& step) {
    SyncMessage message{};
    message.type = SyncMessage::Type::handed_fd;
    message.detail = static_cast<std::uint32_t>(step.number);
    if (!send(message, fd(step.slot))) return false;
    close_raw(image_.slots[step.slot]);
    image_.slots[step.slot] = -1;
    return true;
  }

  bool run_hook(const ChildStep& step) {
    const HookSinks sinks{optional_fd(step.slot), optional_fd(step.dir)};
    const HookEnd end = run_child_hook(image_.hooks[step.number], sinks, hook_log_length_);
    hook_status_ = end.status;
    return end.error == 0 && end.status == 0 ? true : refuse(end.error);
  }

  // Symlinks are followed inside the new root only; nothing is opened but a name.
  bool check_program(const ChildStep& step) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const long program = raw(SYS_openat2, fd(step.dir), text(step.text), &how, sizeof how);
    if (program < 0) return false;
    const long result = raw(SYS_faccessat2, program, "", X_OK, AT_EMPTY_PATH);
    const int error = error_;
    close_raw(static_cast<int>(program));
    error_ = error;
    return result == 0;
  }

  bool exec() {
    // The signal mask and dispositions are the kernel's defaults already.
    if (!report(SyncMessage::Type::executing)) return false;
    int error = ENOENT;
    for (const char* const* path = image_.candidates; *path != nullptr; ++path) {
      raw(SYS_execve, *path, image_.argv, image_.envp);
      // As execvp(3): a candidate that is not there gives way to the next one.
      if (error_ != ENOENT && error_ != ENOTDIR && error_ != EACCES) return false;
      if (error_ == EACCES) error = EACCES;
    }
    return refuse(error);
  }

  bool perform(const ChildStep& step) {
    switch (step.op) {
      case ChildOp::await: return await(static_cast<SyncMessage::Type>(step.number));
      case ChildOp::join_keyring: return join_keyring();
      case ChildOp::become_root: return become_root(step);
      case ChildOp::unshare: return raw(SYS_unshare, step.number) == 0;
      case ChildOp::join_group: return raw(SYS_write, fd(step.slot), "0", 1) == 1;
      case ChildOp::enter_time_namespace: return enter_time_namespace(text(step.text));
      case ChildOp::set_hostname:
        return raw(SYS_sethostname, text(step.text), length_of(text(step.text))) == 0;
      case ChildOp::personality: return raw(SYS_personality, step.number) >= 0;
      case ChildOp::open_path: return fill(step.slot, open_below(fd(step.dir), text(step.text), O_PATH, 0));
      case ChildOp::make_path: return make_path(step);
      case ChildOp::new_filesystem: return new_filesystem(step);
      case ChildOp::clone_tree: return clone_tree(step, text(step.text));
      case ChildOp::clone_slot: return clone_tree(step, "");
      case ChildOp::set_attributes: return set_attributes(step);
      case ChildOp::set_propagation: return set_propagation(step);
      case ChildOp::attach: return attach(step);
      case ChildOp::make_directory: return raw(SYS_mkdirat, fd(step.dir), text(step.text), step.number) == 0;
      case ChildOp::make_symlink:
        return raw(SYS_symlinkat, text(step.text2), fd(step.dir), text(step.text)) == 0;
      case ChildOp::make_file: return write_text(step, O_WRONLY | O_CREAT | O_EXCL, step.number);
      case ChildOp::write_file: return write_text(step, O_WRONLY, 0);
      case ChildOp::open_pty: return open_pty(step);
      case ChildOp::report: return report(static_cast<SyncMessage::Type>(step.number));
      case ChildOp::send_slot: return send_slot(step);
      case ChildOp::use_as_stdio: return use_as_stdio(step);
      case ChildOp::open_null_stdio: return open_null_stdio(step);
      case ChildOp::pivot: return pivot(step);
      case ChildOp::new_session: return raw(SYS_setsid) >= 0;
      case ChildOp::drop_bounding: return drop_bounding(step.number);
      case ChildOp::give_up_capabilities: return give_up_capabilities(step.number);
      case ChildOp::set_label: return set_label(step);
      case ChildOp::no_new_privs: return raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
      case ChildOp::seccomp: return load_filter(step);
      case ChildOp::write_attribute: return write_attribute(step);
      case ChildOp::sched_core: return take_core_cookie();
      case ChildOp::parent_death: return raw(SYS_prctl, PR_SET_PDEATHSIG, step.number, 0, 0, 0) == 0;
      case ChildOp::run_hook: return run_hook(step);
      case ChildOp::check_program: return check_program(step);
      case ChildOp::change_directory: return change_directory(text(step.text));
      case ChildOp::set_ids: return set_ids(step);
      case ChildOp::exec: return exec();
      case ChildOp::fail: return refuse(static_cast<int>(step.number));
    }
    return refuse(EINVAL);
  }
};

}  // namespace

void run_child(ChildImage& image) {
  Interpreter(image).run();
}

}  // namespace hutch
