#include "runtime/apparmor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"

namespace hutch {

namespace {

// Kernel: a profile's name and its namespace share a path component of securityfs (NAME_MAX less the
// suffix that the kernel adds).
constexpr std::size_t longest_name = 246;

std::string interface_directory(const std::string& sys) {
  return sys + "/kernel/security/apparmor";
}

std::string with_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

// AppArmor's patterns have no "everything but": what is outside of some names is spelt by its first
// difference from each of them. Gives the alternatives between braces, for one path component below a
// common prefix: for {"dev", "proc"}: "[^dp]*", "d{,[^e]*}", ...; a name "shm*" stands for all that start so.
std::vector<std::string> alternatives_outside(const std::vector<std::string>& names) {
  std::map<std::string, std::string>
      next;  // each proper prefix of a name, with the characters that follow it
  for (const auto& name : names) {
    for (std::size_t i = 0; i < name.size(); ++i) {
      auto& followers = next[name.substr(0, i)];
      if (name[i] != '*' && followers.find(name[i]) == std::string::npos) followers += name[i];
    }
    if (!name.ends_with('*')) next[name];
  }
  std::vector<std::string> alternatives;
  for (const auto& [prefix, followers] : next) {
    const bool open = std::find(names.begin(), names.end(), prefix + "*") != names.end();
    if (open) continue;
    const bool whole = std::find(names.begin(), names.end(), prefix) != names.end();
    // A name itself is inside, and so is everything below it; a longer word is not.
    if (!prefix.empty() && !whole) alternatives.push_back(prefix);
    alternatives.push_back(formatted("{}[^{}/]*", prefix, followers));
  }
  return alternatives;
}

std::string pattern_outside(const std::string& prefix, const std::vector<std::string>& names) {
  return formatted("{}{{{}}}{{,/**}}", prefix, join(alternatives_outside(names), ","));
}

// Patterns that together match everything below `root` (which ends in '/') but the given relative paths,
// what is below those, and the directories on the way to them.
std::vector<std::string> patterns_outside(const std::string& root, const std::vector<std::string>& paths) {
  std::map<std::string, std::vector<std::string>> deeper;
  std::vector<std::string> names;
  for (const auto& path : paths) {
    const auto slash = path.find('/');
    const std::string name = path.substr(0, slash);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (slash != std::string::npos) deeper[name].push_back(path.substr(slash + 1));
  }
  std::vector<std::string> patterns = {pattern_outside(root, names)};
  for (const auto& [name, rest] : deeper) {
    const auto below = patterns_outside(root + name + "/", rest);
    patterns.insert(patterns.end(), below.begin(), below.end());
  }
  return patterns;
}

// What a container may not use as the source of a mount, nor remount.
const std::string& outside_kernel_trees() {
  static const std::string pattern = pattern_outside("/", {"dev", "proc", "sys"});
  return pattern;
}

// Collects the body of a profile, a line for each rule.
class Body {
 public:
  void heading(const std::string& text) { text_ += formatted("\n  # {}\n", text); }
  void rule(const std::string& text) { text_ += formatted("  {},\n", text); }
  void rules(std::initializer_list<const char*> texts) {
    for (const char* text : texts) rule(text);
  }
  void deny_writes(const std::string& root, const std::vector<std::string>& but) {
    for (const auto& pattern : patterns_outside(root, but)) rule(formatted("deny {} wklx", pattern));
  }
  void line(const std::string& text) { text_ += formatted("  {}\n", text); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void add_base(Body& body, const std::string& name) {
  body.heading("Everything that needs no closer look, and the container's own processes.");
  body.rules({"capability", "dbus", "file", "network", "umount", "signal (receive)"});
  body.rule(formatted("signal peer=\"{}\"", name));
  body.rule("ptrace (readby, tracedby)");
  body.rule(formatted("ptrace peer=\"{}\"", name));
}

void add_base_mounts(Body& body) {
  body.heading("File systems without access to the host's state, anywhere.");
  body.rules({"mount fstype=tmpfs", "mount fstype=hugetlbfs", "mount fstype=mqueue", "mount fstype=fuse",
              "mount fstype=fuse.*"});
  body.heading("Views of the kernel, where they belong.");
  body.rules({"mount fstype=proc -> /proc/", "mount fstype=sysfs -> /sys/",
              "mount fstype=binfmt_misc -> /proc/sys/fs/binfmt_misc/",
              "mount fstype=efivarfs -> /sys/firmware/efi/efivars/",
              "mount fstype=fusectl -> /sys/fs/fuse/connections/",
              "mount fstype=securityfs -> /sys/kernel/security/",
              "mount fstype=debugfs -> /sys/kernel/debug/", "mount options=(rw, remount) -> /sys/",
              "mount options=(rw, remount, nosuid, nodev, noexec) -> /sys/",
              "mount options=(ro, remount) -> /sys/fs/cgroup/",
              "mount options=(ro, remount, nosuid, nodev, noexec) -> /sys/fs/cgroup/"});
  body.heading("Propagation, anywhere.");
  for (const char* type :
       {"slave", "rslave", "shared", "rshared", "private", "rprivate", "unbindable", "runbindable"}) {
    body.rule(formatted("mount options=(rw, make-{}) -> /{{,**}}", type));
  }
  body.heading("Binding and moving what is outside of the kernel's trees.");
  const std::string dotted = pattern_outside("/dev/.", {"lxc"});
  for (const char* option : {"bind", "rbind", "move"}) {
    body.rule(formatted("mount options=(rw, {}) {}", option, outside_kernel_trees()));
    // A recursive bind of a dotted name could carry /dev/.lxc along.
    if (option != std::string_view("rbind"))
      body.rule(formatted("mount options=(rw, {}) {}", option, dotted));
  }
}

void add_base_denials(Body& body, const AppArmorInput& input) {
  body.heading("What systemd tries on its way up or down; refused without a log entry.");
  body.rules({"deny mount options=(ro, remount) -> /", "deny mount options=(ro, remount, silent) -> /",
              "deny mount fstype=debugfs -> /var/lib/ureadahead/debugfs/"});
  body.heading("State of the host behind /proc and /sys.");
  body.rule("deny /proc/bus/** wklx");
  body.deny_writes("/proc/sys/fs/", {"binfmt_misc"});
  if (!input.unprivileged) body.rule("deny /proc/sys/fs/binfmt_misc/** wklx");
  body.rules({"deny /proc/kcore mrwklx", "deny /proc/sysrq-trigger mrwklx", "deny /proc/acpi/** mrwklx",
              "deny /sys/firmware/efi/efivars/** mrwklx", "deny /sys/kernel/debug/** mrwklx"});
  if (input.features.stacking) {
    body.deny_writes("/sys/kernel/security/", {"apparmor"});
  } else {
    body.rule("deny /sys/kernel/security/** wklx");
  }
}

void add_without_nesting(Body& body, const AppArmorInput& input) {
  body.heading("Kernel settings: only those that belong to the container's namespaces.");
  body.deny_writes("/proc/sys/", {"kernel/hostname", "kernel/domainname", "kernel/shm*", "kernel/sem*",
                                  "kernel/msg*", "net"});
  std::vector<std::string> writable = {"fs/cgroup", "devices/virtual/net", "class/net"};
  // With stacking the container loads profiles into its own policy namespace there.
  if (input.features.stacking) writable.emplace_back("kernel/security/apparmor");
  body.deny_writes("/sys/", writable);
  if (!input.features.stacking) body.rule("deny /sys/k*{,/**} mrwklx");
}

// A bind mount is made read-only by a remount, which has to repeat the flags that it has.
void add_remounts(Body& body, const AppArmorInput& input) {
  body.heading(input.unprivileged ? "Making mounts read-only, anywhere." : "Making bind mounts read-only.");
  std::vector<const char*> flags = {"nodev", "nosuid", "noexec"};
  if (input.features.policy_abi_4) flags.push_back("nosymfollow");
  const std::string target = input.unprivileged ? "" : " -> " + outside_kernel_trees();
  for (unsigned set = 0; set < 1U << flags.size(); ++set) {
    std::string options = "ro, remount, bind";
    for (std::size_t i = 0; i < flags.size(); ++i) {
      if ((set >> i & 1U) != 0) options += formatted(", {}", flags[i]);
    }
    for (const char* access_time : {"", ", noatime", ", strictatime"}) {
      body.rule(formatted("mount options=({}{}){}", options, access_time, target));
    }
  }
}

void add_unprivileged(Body& body, const AppArmorInput& input) {
  body.heading("The user namespace limits these already.");
  // Since Linux 6.7 attaching what fsmount(2) made, as mount(8) of Debian 13 does, counts as a move. Who may
  // bind anything and unmount it gains nothing by moving it.
  body.rules({"pivot_root", "mount fstype=binfmt_misc", "mount options=(rw, bind)",
              "mount options=(rw, rbind)", "mount options=(rw, move)", "mount options=(ro, remount)",
              "mount options=(ro, remount, nosuid, nodev, noexec)"});
  body.heading("What systemd sets up for its units: credentials, and a root of their own.");
  body.rule("mount fstype=ramfs");
  // Refused by the kernel (EPERM, on which systemd uses the /proc that is there) while /proc is masked; an
  // EACCES of ours it takes for the end.
  body.rule("mount fstype=proc -> /run/systemd/{unit-root,mount-rootfs}/proc/");
  // systemd >= 255 remounts its credentials with nosymfollow. A parser without that word can only leave the
  // options of a place open.
  if (!input.features.policy_abi_4) body.rule("mount -> /dev/shm/");
}

void add_nesting(Body& body, const std::string& name, const AppArmorInput& input) {
  body.heading("Containers inside; the spare proc and sysfs exist only to be seen by the kernel.");
  body.rules({"pivot_root", "ptrace", "signal", "mount", "deny /dev/.lxc/{proc,sys}/** rw"});
  if (!input.features.stacking) body.rule(formatted("change_profile -> \"{}\"", name));
}

void add_raw_rules(Body& body, const AppArmorInput& input) {
  constexpr std::array<std::string_view, 4> whole_classes = {"allow mqueue,", "mqueue,", "allow userns,",
                                                             "userns,"};
  if (!input.raw_rules.empty()) body.heading("From the configuration.");
  for (const auto& raw : input.raw_rules) {
    if (raw.value.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
      throw Error("an AppArmor rule holds a line break or a NUL byte", 0,
                  "write each rule on a line of its own", raw.origin);
    }
    const bool whole_class =
        std::find(whole_classes.begin(), whole_classes.end(), trim(raw.value)) != whole_classes.end();
    if (whole_class && !input.features.policy_abi_4) {
      body.line(formatted("# Not mediated by this parser: {}", trim(raw.value)));
    } else {
      body.line(raw.value);
    }
  }
}

// Names stand between double quotes and as patterns in the profile.
void check_name(const std::string& name) {
  const bool usable = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > 0x20 && c != 0x7f &&
           std::string_view("\"\\*?[]{}^:@").find(static_cast<char>(c)) == std::string_view::npos;
  });
  if (!usable) {
    throw Error(formatted("cannot name an AppArmor profile '{}'", name), 0,
                "container names and the container directory may not hold blanks, quotes, colons or pattern "
                "characters");
  }
}

// Nothing is changed (and the parser's cache stays valid) when the file holds the text already.
void write_if_changed(const std::string& path, const std::string& text) {
  const auto old = read_file_if_exists(AT_FDCWD, path);
  if (old != text) replace_file(AT_FDCWD, path, text, 0600);
}

// "1.2" of apparmor/features/domain/version; missing before the kernel counted.
bool domain_version_stacks(const std::string& text) {
  const auto parts = split(trim(text), '.');
  const auto major = parse_unsigned(parts[0]);
  const auto minor = parts.size() > 1 ? parse_unsigned(parts[1]) : 0;
  if (!major || !minor) return false;
  return *major > 1 || (*major == 1 && *minor >= 2);
}

bool says_yes(const std::optional<std::string>& content) {
  return content && trim(*content) == "yes";
}

}  // namespace

bool apparmor_enabled(const std::string& sys) {
  const auto enabled = read_file_if_exists(AT_FDCWD, sys + "/module/apparmor/parameters/enabled");
  if (!enabled || trim(*enabled) != "Y") return false;
  if (!path_exists(AT_FDCWD, interface_directory(sys))) {
    throw Error("AppArmor is enabled but its interface is missing", ENOENT,
                formatted("mount it: mount -t securityfs securityfs {}/kernel/security", sys));
  }
  return true;
}

AppArmorFeatures apparmor_features(const std::string& sys, const std::string& etc) {
  const std::string directory = interface_directory(sys);
  const std::string features = directory + "/features/";
  const auto read = [](const std::string& path) { return read_file_if_exists(AT_FDCWD, path); };
  AppArmorFeatures found;
  found.mount_mediation = path_exists(AT_FDCWD, features + "mount");
  const auto version = read(features + "domain/version");
  // The host is stacked when it lives in a policy namespace itself.
  found.stacking = says_yes(read(features + "domain/stack")) && version && domain_version_stacks(*version) &&
                   !says_yes(read(directory + "/.ns_stacked"));
  found.unix_sockets = path_exists(AT_FDCWD, features + "network_v8/af_unix") ||
                       path_exists(AT_FDCWD, features + "network/af_unix");
  found.policy_abi_4 = path_exists(AT_FDCWD, etc + "/abi/4.0");
  return found;
}

std::string apparmor_profile_name(const AppArmorInput& input) {
  const std::string name = formatted("lxc-{}_<{}>", input.container, input.lxc_path);
  return name.size() <= longest_name ? name : formatted("lxc-{:016x}", fnv1a(name));
}

std::string apparmor_namespace(const AppArmorInput& input) {
  return with_dashes(apparmor_profile_name(input));
}

std::string apparmor_label(const AppArmorInput& input) {
  const std::string name = apparmor_profile_name(input);
  return input.features.stacking ? formatted("{}//&:{}:", name, apparmor_namespace(input)) : name;
}

std::string generated_profile(const AppArmorInput& input) {
  const std::string name = apparmor_profile_name(input);
  check_name(name);
  Body body;
  add_base(body, name);
  add_base_mounts(body);
  add_base_denials(body, input);
  if (!input.allow_nesting) add_without_nesting(body, input);
  add_remounts(body, input);
  if (input.features.unix_sockets) {
    body.heading("Unix sockets within the container, and answers from anywhere.");
    body.rule("unix (receive)");
    body.rule(formatted("unix peer=(label=\"{}\")", name));
  }
  if (input.cgroup_namespace) {
    body.heading("Its own view of the cgroups.");
    body.rules(
        {"mount fstype=cgroup -> /sys/fs/cgroup/{,**}", "mount fstype=cgroup2 -> /sys/fs/cgroup/{,**}"});
  }
  if (input.features.stacking) {
    body.heading("Profiles of its own, in its policy namespace.");
    body.rule(formatted("change_profile -> \":{}:*\"", apparmor_namespace(input)));
    body.rule(formatted("change_profile -> \":{}://*\"", apparmor_namespace(input)));
  }
  if (input.allow_nesting) add_nesting(body, name, input);
  if (input.unprivileged) add_unprivileged(body, input);
  add_raw_rules(body, input);
  return formatted(
      "# Made by pct; overwritten when the container starts.\n"
      "profile \"{}\" flags=(attach_disconnected,mediate_deleted) {{{}}}\n",
      name, body.text());
}

void load_profile(const std::string& text, const std::string& name, const std::string& cache_directory) {
  const std::string compiled = cache_directory + "/compiled";
  const std::string source = cache_directory + "/" + with_dashes(name);
  make_directories(compiled);
  write_if_changed(source, text);
  // It must not load the profile after its starter has died and somebody has cleaned up.
  ProgramOptions options;
  options.before_exec = [starter = ::getpid()] {
    check(::prctl(PR_SET_PDEATHSIG, SIGKILL), "cannot tie apparmor_parser to its starter");
    if (::getppid() != starter) throw Error("the starter has ended", ESRCH);
  };
  run_checked({"apparmor_parser", "--replace", "--write-cache", "--cache-loc=" + compiled, source}, options);
}

void unload_profile(const std::string& name, const std::string& sys) {
  const UniqueFd remove = open_file(AT_FDCWD, interface_directory(sys) + "/.remove", O_WRONLY);
  // ENOENT is the kernel's answer for a profile that is not loaded.
  if (::write(remove.get(), name.data(), name.size()) < 0 && errno != ENOENT) {
    throw_errno(formatted("cannot unload AppArmor profile '{}'", name));
  }
}

std::string label_change_command(std::string_view label) {
  return formatted("changeprofile {}", label);
}

}  // namespace hutch
