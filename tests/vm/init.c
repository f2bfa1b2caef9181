// Process 1 of a test machine (tests/vm/run), linked statically, in its initramfs: shows the host's file system
// under an overlay, runs one command there, reports its status and ends the machine. Everything that a shell can
// do as well is done by inside.sh, which runs before the command.
//
// Kernel parameters, each a path without blanks: vm.run (the host's directory that holds the file `command`),
// vm.modules (the host's directory for /lib/modules), vm.see (directories of the host that /tmp or /run covers,
// with colons between them; optional).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kDebugExitPort = 0xf4 };  // tests/vm/run: -device isa-debug-exit,iobase=0xf4
enum { kOutput = 1, kErrors = 2, kStatus = 3 };  // tests/vm/run: nr= of the virtserialport devices

static char parameters[4096];

// The emulator ends at once; a status that was not written is what tells tests/vm/run that something failed.
_Noreturn static void end_machine(void) {
  if (ioperm(kDebugExitPort, 1, 1) == 0)
    __asm__ volatile("outb %0, %1" : : "a"((unsigned char)1), "Nd"((unsigned short)kDebugExitPort));
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

// To the console, whose last lines tests/vm/run shows.
_Noreturn static void fail(const char* action, const char* object) {
  fprintf(stderr, "vm init: cannot %s %s: %s\n", action, object, strerror(errno));
  end_machine();
}

static void mount_on(const char* source, const char* target, const char* type, unsigned long flags,
                     const char* options) {
  if (mkdir(target, 0755) != 0 && errno != EEXIST) fail("make", target);
  if (mount(source, target, type, flags, options) != 0) fail("mount", target);
}

static void make_directories(char* path) {
  for (char* slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
  if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("make", path);
}

static void read_parameters(void) {
  const int file = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, parameters, sizeof parameters - 1) < 0) fail("read", "/proc/cmdline");
  close(file);
}

// The value of the parameter, in `value`; whether there is one.
static int parameter(const char* name, char* value, size_t size) {
  const size_t length = strlen(name);
  for (const char* word = parameters; *word != '\0'; word += strspn(word, " \n")) {
    const size_t whole = strcspn(word, " \n");
    if (whole > length && whole - length <= size && strncmp(word, name, length) == 0 && word[length] == '=') {
      memcpy(value, word + length + 1, whole - length - 1);
      value[whole - length - 1] = '\0';
      return 1;
    }
    word += whole;
  }
  return 0;
}

// /modules/order lists what the root needs, each module after those that it needs itself.
static void load_modules(void) {
  FILE* order = fopen("/modules/order", "re");
  if (order == NULL) fail("read", "/modules/order");
  char name[256], path[300];
  while (fgets(name, sizeof name, order) != NULL) {
    name[strcspn(name, "\n")] = '\0';
    snprintf(path, sizeof path, "/modules/%s", name);
    const int module = open(path, O_RDONLY | O_CLOEXEC);
    if (module < 0) fail("open", path);
    // ENODEV: code for a processor that is not this one (crc32c_intel).
    if (syscall(SYS_finit_module, module, "", 0) != 0 && errno != EEXIST && errno != ENODEV) fail("load", path);
    close(module);
  }
  fclose(order);
}

// /new: the host's root, read-only, under an overlay in memory; /new/tmp: the scratch disk, which unlike an
// overlay can be the lower or upper directory of another one and can be id-mapped.
static void mount_root(void) {
  mount_on("host", "/host", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
  mount_on("tmpfs", "/changes", "tmpfs", 0, "mode=755,size=75%");
  mkdir("/changes/upper", 0755);
  mkdir("/changes/work", 0755);
  mount_on("overlay", "/new", "overlay", 0, "lowerdir=/host,upperdir=/changes/upper,workdir=/changes/work");
  mount_on("proc", "/new/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_on("sysfs", "/new/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_on("dev", "/new/dev", "devtmpfs", MS_NOSUID, NULL);
  mount_on("devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
  mount_on("shm", "/new/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_on("tmpfs", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
  mount_on("/dev/vda", "/new/tmp", "ext4", MS_NOATIME, "prjquota");
  if (chmod("/new/tmp", 01777) != 0) fail("open up", "/tmp");
}

// A directory of the host at its own place, which something else covers; changes stay in memory here, too.
static void show_host_directory(const char* name, int index) {
  char target[2100], upper[64], work[64], options[2300];
  snprintf(target, sizeof target, "/new%s", name);
  make_directories(target);
  snprintf(upper, sizeof upper, "/changes/upper%d", index);
  snprintf(work, sizeof work, "/changes/work%d", index);
  mkdir(upper, 0755);
  mkdir(work, 0755);
  snprintf(options, sizeof options, "lowerdir=/host%s,upperdir=%s,workdir=%s", name, upper, work);
  mount_on("overlay", target, "overlay", 0, options);
}

static void bind_host_directory(const char* name, const char* target) {
  char value[2048], source[2100];
  if (!parameter(name, value, sizeof value)) fail("find the parameter", name);
  snprintf(source, sizeof source, "/host%s", value);
  mount_on(source, target, NULL, MS_BIND, NULL);
}

static void show_host_directories(void) {
  bind_host_directory("vm.run", "/new/run/vm");
  bind_host_directory("vm.modules", "/new/lib/modules");
  char names[2048];
  if (!parameter("vm.see", names, sizeof names)) return;
  int index = 0;
  for (char* name = strtok(names, ":"); name != NULL; name = strtok(NULL, ":"))
    show_host_directory(name, index++);
}

static void enter_root(void) {
  umount2("/proc", MNT_DETACH);
  umount2("/host", MNT_DETACH);
  umount2("/changes", MNT_DETACH);
  if (chdir("/new") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
    fail("enter", "/new");
  // As systemd does.
  if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) != 0) fail("share the mounts of", "/");
}

// The serial port to tests/vm/run. Which device has it is up to the order in which they were found, and they
// appear in the background.
static int open_port(int port) {
  char path[64];
  for (int attempt = 0; attempt < 1000; ++attempt) {
    for (int device = 0; device < 16; ++device) {
      snprintf(path, sizeof path, "/dev/vport%dp%d", device, port);
      const int file = open(path, O_WRONLY | O_CLOEXEC);
      if (file >= 0) return file;
    }
    usleep(10000);
  }
  fail("open", "a serial port");
}

_Noreturn static void run_command(void) {
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  setsid();
  if (dup2(input, 0) < 0 || dup2(open_port(kOutput), 1) < 0 || dup2(open_port(kErrors), 2) < 0) _exit(125);
  char* const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                               "LANG=C.UTF-8", "TERM=dumb", NULL};
  execle("/bin/bash", "bash", "/run/vm/command", NULL, environment);
  perror("vm init: cannot run /bin/bash");
  _exit(127);
}

int main(void) {
  mount_on("proc", "/proc", "proc", 0, NULL);
  read_parameters();
  load_modules();
  mount_on("dev", "/dev", "devtmpfs", 0, NULL);
  mount_root();
  show_host_directories();
  enter_root();
  const int status_port = open_port(kStatus);
  const pid_t command = fork();
  if (command < 0) fail("fork for", "the command");
  if (command == 0) run_command();
  int status = 0;
  for (;;) {
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == command) break;
    if (ended < 0 && errno != EINTR) fail("wait for", "the command");
  }
  sync();
  dprintf(status_port, "exit=%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  end_machine();
}
