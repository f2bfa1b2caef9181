// The floor of start latency: the kernel work of one start of the benchmark container, in one process, in
// order, and nothing else. No library but libc, no allocation that a system call does not need, no output.
//
//   floor start NAME ROOTFS BRIDGE [FILTER]   make the container NAME; exits 0 once `sleep` runs inside
//   floor stop NAME                           kill it and remove its cgroups and its link
//
// The container: all seven namespaces, ids 0..65535 as 100000..165535, ROOTFS (a directory that belongs to
// 100000 and holds /bin/sleep, /proc, /sys, /dev), memory 512 MiB, half a CPU of weight 100, CPU 0, 4096
// processes, one veth into BRIDGE whose peer is made inside as eth0, proc with the read-only parts of
// `proc:mixed`, read-only sys, /dev with six nodes, devpts, five capabilities dropped, a seccomp filter,
// no_new_privs off, `/bin/sleep 1000` as process 1. FILTER: a file with an array of struct sock_filter; by
// default a built-in one with as many rules as the default policy has.
//
// What it leaves out, because one process that exits needs it not: config, locks, a supervisor, console,
// state files. It is written against man pages only: clone(2), user_namespaces(7), cgroups(7),
// rtnetlink(7), pivot_root(2), seccomp(2).

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr const char* kParent = "hutch-floor";  // our containers' cgroups live below this one
constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr const char* kIdMap = "0 100000 65536\n";

[[noreturn]] void fail(const char* action, const char* object) {
  const int error = errno;
  fprintf(stderr, "floor: cannot %s '%s': %s\n", action, object, strerror(error));
  exit(1);
}

// Where a group of limits lives on this host.
struct Hierarchy {
  const char* root;
  bool v2;
  struct {
    const char* file;
    const char* value;
  } limits[6];
};

// A v1 cpuset takes no process before both files are set, in our parent group too.
constexpr Hierarchy kHybrid[] = {
    {"/sys/fs/cgroup/unified", true, {}},
    {"/sys/fs/cgroup/memory", false, {{"memory.limit_in_bytes", "536870912"}}},
    {"/sys/fs/cgroup/cpu",
     false,
     {{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "50000"}, {"cpu.shares", "1024"}}},
    {"/sys/fs/cgroup/pids", false, {{"pids.max", "4096"}}},
    {"/sys/fs/cgroup/cpuset", false, {{"cpuset.cpus", "0"}, {"cpuset.mems", "0"}}},
};
constexpr Hierarchy kUnified[] = {
    {"/sys/fs/cgroup",
     true,
     {{"memory.max", "536870912"},
      {"cpu.max", "50000 100000"},
      {"cpu.weight", "100"},
      {"pids.max", "4096"},
      {"cpuset.cpus", "0"}}},
};

struct Layout {
  const Hierarchy* first;
  size_t count;
};

Layout host_layout() {
  struct statfs info;
  if (statfs("/sys/fs/cgroup", &info) != 0) fail("examine", "/sys/fs/cgroup");
  if (info.f_type == CGROUP2_SUPER_MAGIC) return {kUnified, sizeof kUnified / sizeof kUnified[0]};
  if (statfs("/sys/fs/cgroup/unified", &info) != 0) fail("examine", "/sys/fs/cgroup/unified");
  return {kHybrid, sizeof kHybrid / sizeof kHybrid[0]};
}

struct Path {
  char text[512];
};

// root/hutch-floor/name/rest; name and rest may be null.
Path cgroup_path(const Hierarchy& hierarchy, const char* name, const char* rest) {
  Path path;
  const int length = snprintf(path.text, sizeof path.text, "%s/%s%s%s%s%s", hierarchy.root, kParent,
                              name != nullptr ? "/" : "", name != nullptr ? name : "",
                              rest != nullptr ? "/" : "", rest != nullptr ? rest : "");
  if (length < 0 || static_cast<size_t>(length) >= sizeof path.text) {
    errno = ENAMETOOLONG;
    fail("name a cgroup of", name != nullptr ? name : kParent);
  }
  return path;
}

void write_file(const char* path, const char* value) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  const size_t length = strlen(value);
  if (write(fd, value, length) != static_cast<ssize_t>(length)) fail("write", path);
  close(fd);
}

void make_directory(const char* path, bool may_exist) {
  if (mkdir(path, 0755) != 0 && !(may_exist && errno == EEXIST)) fail("make", path);
}

// Limits are written while the groups are empty, which is when writing is cheapest.
void make_cgroups(const Layout& layout, const char* name) {
  for (size_t i = 0; i < layout.count; ++i) {
    const Hierarchy& hierarchy = layout.first[i];
    const Path parent = cgroup_path(hierarchy, nullptr, nullptr);
    const bool fresh = mkdir(parent.text, 0755) == 0;
    if (!fresh && errno != EEXIST) fail("make", parent.text);
    const bool cpuset = strcmp(hierarchy.root + sizeof "/sys/fs/cgroup" - 1, "/cpuset") == 0;
    if (fresh && cpuset) {
      // The group above must allow at least what the container's group asks for.
      for (const auto& limit : hierarchy.limits) {
        if (limit.file != nullptr) write_file(cgroup_path(hierarchy, nullptr, limit.file).text, limit.value);
      }
    }
    if (fresh && hierarchy.v2 && hierarchy.limits[0].file != nullptr) {
      write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory +cpu +pids +cpuset");
      write_file(cgroup_path(hierarchy, nullptr, "cgroup.subtree_control").text,
                 "+memory +cpu +pids +cpuset");
    }
    make_directory(cgroup_path(hierarchy, name, nullptr).text, false);
    if (hierarchy.v2) make_directory(cgroup_path(hierarchy, name, "ns").text, false);
    for (const auto& limit : hierarchy.limits) {
      if (limit.file != nullptr) write_file(cgroup_path(hierarchy, name, limit.file).text, limit.value);
    }
  }
}

// --- the link -------------------------------------------------------------------------------------------

struct Request {
  nlmsghdr header;
  ifinfomsg link;
  char attributes[512];
};

rtattr* add_attribute(Request& request, int type, const void* data, size_t size) {
  char* end = reinterpret_cast<char*>(&request) + NLMSG_ALIGN(request.header.nlmsg_len);
  auto* attribute = reinterpret_cast<rtattr*>(end);
  attribute->rta_type = static_cast<unsigned short>(type);
  attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
  if (size > 0) memcpy(RTA_DATA(attribute), data, size);
  request.header.nlmsg_len =
      NLMSG_ALIGN(request.header.nlmsg_len) + static_cast<uint32_t>(RTA_ALIGN(attribute->rta_len));
  return attribute;
}

void close_attribute(Request& request, rtattr* attribute) {
  const char* end = reinterpret_cast<const char*>(&request) + request.header.nlmsg_len;
  attribute->rta_len = static_cast<unsigned short>(end - reinterpret_cast<const char*>(attribute));
}

// Sends one request and waits for its acknowledgement; returns 0 or the errno the kernel answered with.
int transact(Request& request) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("open", "a netlink socket");
  request.header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) fail("send", "a netlink request");
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char echo[1024];
  } answer;
  const ssize_t length = recv(fd, &answer, sizeof answer, 0);
  if (length < static_cast<ssize_t>(sizeof answer.header + sizeof answer.error))
    fail("receive", "a netlink answer");
  close(fd);
  if (answer.header.nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -answer.error.error;
}

Path host_link_name(const char* name) {
  Path link;
  // IFNAMSIZ is 16 with the final zero.
  if (snprintf(link.text, sizeof link.text, "fl%s", name) >= IFNAMSIZ) {
    errno = ENAMETOOLONG;
    fail("name the link of", name);
  }
  return link;
}

// One RTM_NEWLINK: the host's end up and in the bridge, its peer made inside the container's namespace.
void make_veth(const char* name, uint32_t bridge, pid_t init) {
  Request request = {};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = RTM_NEWLINK;
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  request.link.ifi_flags = IFF_UP;
  request.link.ifi_change = IFF_UP;
  const Path host = host_link_name(name);
  add_attribute(request, IFLA_IFNAME, host.text, strlen(host.text) + 1);
  add_attribute(request, IFLA_MASTER, &bridge, sizeof bridge);
  rtattr* info = add_attribute(request, IFLA_LINKINFO, nullptr, 0);
  add_attribute(request, IFLA_INFO_KIND, "veth", 4);
  rtattr* data = add_attribute(request, IFLA_INFO_DATA, nullptr, 0);
  const ifinfomsg peer_link = {};
  rtattr* peer = add_attribute(request, VETH_INFO_PEER, &peer_link, sizeof peer_link);
  const unsigned char mac[6] = {0xbc, 0x24, 0x11, 0x12, 0x34, 0x56};
  const auto target = static_cast<uint32_t>(init);
  add_attribute(request, IFLA_IFNAME, "eth0", sizeof "eth0");
  add_attribute(request, IFLA_ADDRESS, mac, sizeof mac);
  add_attribute(request, IFLA_NET_NS_PID, &target, sizeof target);
  close_attribute(request, peer);
  close_attribute(request, data);
  close_attribute(request, info);
  errno = transact(request);
  if (errno != 0) fail("make the link", host.text);
}

void remove_veth(const char* name) {
  Request request = {};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = RTM_DELLINK;
  const Path host = host_link_name(name);
  add_attribute(request, IFLA_IFNAME, host.text, strlen(host.text) + 1);
  errno = transact(request);
  if (errno != 0 && errno != ENODEV) fail("remove the link", host.text);
}

// --- the container's side -------------------------------------------------------------------------------

struct Plan {
  const char* name;
  const char* rootfs;
  int go;      // a byte arrives when ids, limits and links are in place
  int result;  // a Failure on failure; closed by exec
  sock_fprog filter;
  int tasks[4];  // the v1 groups' `tasks` files, opened for writing
  size_t task_count;
};

struct Failure {
  int error;
  char action[64];
};

[[noreturn]] void child_fail(const Plan& plan, const char* action) {
  Failure failure = {errno, {}};
  strncpy(failure.action, action, sizeof failure.action - 1);
  // Nobody is left to tell when this fails; the parent sees the end of file and an exit status.
  (void)!write(plan.result, &failure, sizeof failure);
  _exit(1);
}

void child_check(const Plan& plan, long result, const char* action) {
  if (result < 0) child_fail(plan, action);
}

void child_mount(const Plan& plan, const char* source, const char* target, const char* type,
                 unsigned long flags, const char* options) {
  child_check(plan, mount(source, target, type, flags, options), target);
}

void child_file(const Plan& plan, const char* path) {
  const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
  child_check(plan, fd, path);
  close(fd);
}

// A user namespace may not make device nodes: the host's are bound over empty files.
void child_dev(const Plan& plan) {
  static constexpr struct {
    const char* host;
    const char* here;
  } nodes[] = {{"/dev/null", "dev/null"},     {"/dev/zero", "dev/zero"},       {"/dev/full", "dev/full"},
               {"/dev/random", "dev/random"}, {"/dev/urandom", "dev/urandom"}, {"/dev/tty", "dev/tty"}};
  child_mount(plan, "none", "dev", "tmpfs", MS_NOSUID, "mode=0755,size=500000");
  for (const auto& node : nodes) {
    child_file(plan, node.here);
    child_mount(plan, node.host, node.here, nullptr, MS_BIND, nullptr);
  }
  child_check(plan, mkdir("dev/pts", 0755), "dev/pts");
  child_mount(plan, "devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "gid=5,newinstance,ptmxmode=0666,mode=0620,max=1024");
  child_file(plan, "dev/ptmx");
  child_mount(plan, "dev/pts/ptmx", "dev/ptmx", nullptr, MS_BIND, nullptr);
  static constexpr const char* links[][2] = {{"/proc/self/fd", "dev/fd"},
                                             {"/proc/self/fd/0", "dev/stdin"},
                                             {"/proc/self/fd/1", "dev/stdout"},
                                             {"/proc/self/fd/2", "dev/stderr"}};
  for (const auto& link : links) child_check(plan, symlink(link[0], link[1]), link[1]);
}

// A path that this kernel lacks needs no protection; every other failure counts.
void child_read_only(const Plan& plan, const char* path) {
  if (mount(path, path, nullptr, MS_BIND, nullptr) != 0) {
    if (errno == ENOENT) return;
    child_fail(plan, path);
  }
  child_mount(plan, nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kSafe, nullptr);
}

void child_mask(const Plan& plan, const char* path) {
  if (mount("dev/null", path, nullptr, MS_BIND, nullptr) != 0 && errno != ENOENT) child_fail(plan, path);
}

void child_mounts(const Plan& plan) {
  child_mount(plan, nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  child_mount(plan, plan.rootfs, plan.rootfs, nullptr, MS_BIND | MS_REC, nullptr);
  child_check(plan, chdir(plan.rootfs), "enter the rootfs");
  child_dev(plan);
  child_mount(plan, "proc", "proc", "proc", kSafe, nullptr);
  child_read_only(plan, "proc/sys");
  child_read_only(plan, "proc/sysrq-trigger");
  child_mask(plan, "proc/kcore");
  child_mount(plan, "sysfs", "sys", "sysfs", kSafe | MS_RDONLY, nullptr);
  child_check(plan, syscall(SYS_pivot_root, ".", "."), "pivot_root");
  child_check(plan, umount2(".", MNT_DETACH), "unmount the old root");
  child_check(plan, chdir("/"), "enter the new root");
}

[[noreturn]] void run_child(const Plan& plan) {
  // "0" into `tasks` moves the calling thread alone, for which the kernel skips the lock against forking
  // thread groups. cgroup.procs takes it, and an idle lock first waits for an RCU grace period: 4 to 15 ms.
  for (size_t i = 0; i < plan.task_count; ++i) {
    child_check(plan, write(plan.tasks[i], "0", 1), "join a cgroup");
    close(plan.tasks[i]);
  }
  char byte = 0;
  if (read(plan.go, &byte, 1) != 1) _exit(1);
  child_check(plan, syscall(SYS_setgroups, 0, nullptr), "setgroups");
  child_check(plan, syscall(SYS_setresgid, 0, 0, 0), "setresgid");
  child_check(plan, syscall(SYS_setresuid, 0, 0, 0), "setresuid");
  child_check(plan, sethostname(plan.name, strlen(plan.name)), "sethostname");
  child_mounts(plan);
  static constexpr int dropped[] = {CAP_MAC_ADMIN, CAP_MAC_OVERRIDE, CAP_SYS_TIME, CAP_SYS_MODULE,
                                    CAP_SYS_RAWIO};
  for (const int capability : dropped)
    child_check(plan, prctl(PR_CAPBSET_DROP, capability), "drop a capability");
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  child_check(plan, null, "/dev/null");
  for (int fd = 0; fd <= 2; ++fd) child_check(plan, dup2(null, fd), "dup2");
  child_check(plan, setsid(), "setsid");
  // What our caller left open must not reach the container.
  child_check(plan, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
  child_check(plan, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &plan.filter), "seccomp");
  const char* const argv[] = {"/bin/sleep", "1000", nullptr};
  const char* const environment[] = {"container=lxc", nullptr};
  execve(argv[0], const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  child_fail(plan, "exec /bin/sleep");
}

// --- seccomp --------------------------------------------------------------------------------------------

// Twenty-five denied calls, as the default policy has them on one architecture; the other two of an x86-64
// host are told apart by the first two instructions.
constexpr int kDenied[] = {
    SYS_kexec_load,   SYS_open_by_handle_at, SYS_init_module, SYS_finit_module,    SYS_delete_module,
    SYS_keyctl,       SYS_add_key,           SYS_request_key, SYS_kexec_file_load, SYS_bpf,
    SYS_userfaultfd,  SYS_perf_event_open,   SYS_acct,        SYS_quotactl,        SYS_reboot,
    SYS_swapon,       SYS_swapoff,           SYS_nfsservctl,  SYS_lookup_dcookie,  SYS_vhangup,
    SYS_settimeofday, SYS_clock_settime,     SYS_adjtimex,    SYS_clock_adjtime,   SYS_syslog,
};

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

// --- start and stop -------------------------------------------------------------------------------------

void write_proc(pid_t init, const char* file, const char* value) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", init, file);
  write_file(path, value);
}

pid_t clone_into(int cgroup, int* pidfd) {
  clone_args arguments = {};
  arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                    CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uintptr_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned>(cgroup);
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

void start(const char* name, const char* rootfs, const char* bridge, const char* filter) {
  Plan plan = {name, rootfs, -1, -1, filter != nullptr ? filter_from_file(filter) : built_in_filter(), {}, 0};
  const uint32_t bridge_index = if_nametoindex(bridge);
  if (bridge_index == 0) fail("find the bridge", bridge);
  const Layout layout = host_layout();
  make_cgroups(layout, name);

  int go[2];
  int result[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) != 0) fail("make", "a socket pair");
  if (pipe2(result, O_CLOEXEC) != 0) fail("make", "a pipe");
  const Path group = cgroup_path(layout.first[0], name, "ns");
  const int cgroup = open(group.text, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0) fail("open", group.text);
  for (size_t i = 1; i < layout.count; ++i) {
    const Path tasks = cgroup_path(layout.first[i], name, "tasks");
    const int fd = open(tasks.text, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail("open", tasks.text);
    plan.tasks[plan.task_count++] = fd;
  }
  int pidfd = -1;
  const pid_t init = clone_into(cgroup, &pidfd);
  if (init < 0) fail("clone", name);
  if (init == 0) {
    plan.go = go[0];
    plan.result = result[1];
    close(go[1]);
    run_child(plan);
  }
  close(go[0]);
  close(result[1]);

  write_proc(init, "uid_map", kIdMap);
  write_proc(init, "gid_map", kIdMap);
  make_veth(name, bridge_index, init);
  // EPIPE: the child has ended already; its record below says why.
  if (send(go[1], "", 1, MSG_NOSIGNAL) != 1 && errno != EPIPE) fail("release", name);

  Failure failure = {};
  const ssize_t length = read(result[0], &failure, sizeof failure);
  if (length < 0) fail("wait for", name);
  if (length > 0) {
    errno = failure.error;
    fail("do inside", failure.action);
  }
  // The pipe is closed by exec and by death alike; a dead child would be one now.
  siginfo_t state = {};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &state, WEXITED | WNOHANG | WNOWAIT) != 0)
    fail("examine", name);
  if (state.si_pid != 0) {
    errno = ECHILD;
    fail("keep alive", name);
  }
}

void pause_ms(long milliseconds) {
  const timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, nullptr);
}

// rmdir answers EBUSY until the last process has left.
void remove_cgroup(const char* path) {
  for (int attempt = 0; rmdir(path) != 0; ++attempt) {
    if (errno == ENOENT) return;
    if (errno != EBUSY || attempt == 2000) fail("remove", path);
    pause_ms(1);
  }
}

void stop(const char* name) {
  const Layout layout = host_layout();
  const Path kill_file = cgroup_path(layout.first[0], name, "cgroup.kill");
  if (access(kill_file.text, F_OK) == 0) write_file(kill_file.text, "1");
  remove_veth(name);
  for (size_t i = 0; i < layout.count; ++i) {
    const Hierarchy& hierarchy = layout.first[i];
    if (hierarchy.v2) remove_cgroup(cgroup_path(hierarchy, name, "ns").text);
    remove_cgroup(cgroup_path(hierarchy, name, nullptr).text);
    // The parent goes with the last container.
    const Path parent = cgroup_path(hierarchy, nullptr, nullptr);
    if (rmdir(parent.text) != 0 && errno != EBUSY && errno != ENOENT) fail("remove", parent.text);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 5 && argc <= 6 && strcmp(argv[1], "start") == 0) {
    start(argv[2], argv[3], argv[4], argc == 6 ? argv[5] : nullptr);
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "stop") == 0) {
    stop(argv[2]);
    return 0;
  }
  fputs("usage: floor start NAME ROOTFS BRIDGE [FILTER] | floor stop NAME\n", stderr);
  return 2;
}
