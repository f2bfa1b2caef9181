#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "config/lowering.h"

// Capabilities, seccomp, AppArmor (lxc-mapping 1.1, 3, 4; lxc-security 2, 4.3, 6).
namespace hutch::config {

namespace {

// capabilities(7), in order of their numbers (linux/capability.h).
constexpr std::string_view kCapabilities[] = {"chown",
                                              "dac_override",
                                              "dac_read_search",
                                              "fowner",
                                              "fsetid",
                                              "kill",
                                              "setgid",
                                              "setuid",
                                              "setpcap",
                                              "linux_immutable",
                                              "net_bind_service",
                                              "net_broadcast",
                                              "net_admin",
                                              "net_raw",
                                              "ipc_lock",
                                              "ipc_owner",
                                              "sys_module",
                                              "sys_rawio",
                                              "sys_chroot",
                                              "sys_ptrace",
                                              "sys_pacct",
                                              "sys_admin",
                                              "sys_boot",
                                              "sys_nice",
                                              "sys_resource",
                                              "sys_time",
                                              "sys_tty_config",
                                              "mknod",
                                              "lease",
                                              "audit_write",
                                              "audit_control",
                                              "setfcap",
                                              "mac_override",
                                              "mac_admin",
                                              "syslog",
                                              "wake_alarm",
                                              "block_suspend",
                                              "audit_read",
                                              "perfmon",
                                              "bpf",
                                              "checkpoint_restore"};

// A name in lower case without CAP_, or a number.
std::string capability_name(const RawEntry& entry, std::string_view word) {
  if (std::find(std::begin(kCapabilities), std::end(kCapabilities), word) != std::end(kCapabilities)) {
    return std::string(word);
  }
  const auto number = parse_unsigned(word);
  if (number && *number < std::size(kCapabilities)) return std::string(kCapabilities[*number]);
  throw Error(formatted("'{}': unknown capability '{}'", entry.key, word), 0,
              "use names without CAP_ and in lower case, such as sys_time (capabilities(7))", entry.origin);
}

void add_unique(std::vector<Located<std::string>>& list, std::string name, const Origin& origin) {
  const auto same = [&name](const auto& located) { return located.value == name; };
  if (std::none_of(list.begin(), list.end(), same)) list.push_back({std::move(name), origin});
}

// The deny list of every container, in the policy files' version 2 form. EPERM is 1.
constexpr std::string_view kCommonPolicy =
    "2\n"
    "denylist\n"
    "reject_force_umount\n"
    "[all]\n"
    "kexec_load errno 1\n"
    "open_by_handle_at errno 1\n"
    "init_module errno 1\n"
    "finit_module errno 1\n"
    "delete_module errno 1\n";

// Besides, for unprivileged containers: btrfs ioctls (type 0x94) EPERM; keyctl ENOSYS, because keyrings are
// not separated by container; AF_ALG (38) EAFNOSUPPORT.
constexpr std::string_view kIoctlRule = "ioctl errno 1 [1,0x9400,SCMP_CMP_MASKED_EQ,0xff00]\n";
constexpr std::string_view kKeyctlRule = "keyctl errno 38\n";
constexpr std::string_view kSocketRule = "socket errno 97 [0,38,SCMP_CMP_EQ]\n";

void lower_seccomp(Lowering& lowering) {
  const auto features_origin = lowering.section.origin_of("features");
  if (lowering.features.mknod.value_or(false)) {
    lowering.refuse(
        features_origin,
        "option 'features': 'mknod' is not honoured by this version; remove it (device nodes can be "
        "bind-mounted with lxc.mount.entry)");
  }
  if (lowering.own_seccomp_profile) {
    if (lowering.features.keyctl.value_or(false)) {
      lowering.warn(features_origin, "option 'features': 'keyctl' has no effect beside lxc.seccomp.profile");
    }
    return;
  }
  auto& seccomp = lowering.spec.seccomp;
  seccomp.policy = kCommonPolicy;
  seccomp.origin = default_origin();
  if (!lowering.unprivileged) return;
  seccomp.policy += kIoctlRule;
  if (!lowering.features.keyctl.value_or(false)) seccomp.policy += kKeyctlRule;
  seccomp.policy += kSocketRule;
}

void lower_apparmor(Lowering& lowering) {
  const auto& features = lowering.features;
  const auto origin = lowering.section.origin_of("features");
  const bool nesting = features.nesting.value_or(false);
  const bool fuse = features.fuse.value_or(false);
  auto& apparmor = lowering.spec.apparmor;
  if (lowering.own_apparmor_profile) {
    if (nesting || fuse || !features.mount.empty()) {
      lowering.warn(origin,
                    "option 'features': nesting, fuse and mount do not change the profile that "
                    "lxc.apparmor.profile sets");
    }
    return;
  }
  apparmor.profile = "generated";
  apparmor.origin = default_origin();
  auto& rules = apparmor.raw_rules;
  rules.push_back({"allow mqueue,", default_origin()});
  if (nesting) {
    apparmor.allow_nesting = true;
    lowering.spec.nesting_mounts = true;
    rules.push_back({"allow userns,", origin});
  } else {
    rules.push_back({"deny mount -> /proc/,", default_origin()});
    rules.push_back({"deny mount -> /sys/,", default_origin()});
  }
  for (const auto& type : features.mount_types())
    rules.push_back({formatted("mount fstype={},", type), origin});
  if (fuse) rules.push_back({"mount fstype=fuse,", origin});
}

}  // namespace

void lower_security(Lowering& lowering) {
  if (!lowering.unprivileged) {
    auto& drop = lowering.spec.capabilities.drop;
    for (const auto name : split_blanks(kCommonCapabilityDrops))
      add_unique(drop, std::string(name), default_origin());
    const auto origin = lowering.section.origin_of("ostype");
    for (const auto name : split_blanks(lowering.os->dropped)) add_unique(drop, std::string(name), origin);
  }
  lower_seccomp(lowering);
  lower_apparmor(lowering);
}

void set_capability_drop(Lowering& lowering, const RawEntry& entry) {
  auto& capabilities = lowering.spec.capabilities;
  if (entry.value.empty()) {
    capabilities = {};
    return;
  }
  if (capabilities.keep) {
    throw Error("'lxc.cap.drop' after 'lxc.cap.keep'", 0, "use one of them", entry.origin);
  }
  for (const auto word : split_blanks(entry.value)) {
    add_unique(capabilities.drop, capability_name(entry, word), entry.origin);
  }
}

void set_capability_keep(Lowering& lowering, const RawEntry& entry) {
  auto& capabilities = lowering.spec.capabilities;
  if (entry.value.empty()) {
    capabilities.keep.reset();
    return;
  }
  if (!capabilities.drop.empty()) {
    throw Error("'lxc.cap.keep' while capabilities are listed to be dropped", 0,
                "put an empty line 'lxc.cap.drop:' before it", entry.origin);
  }
  if (!capabilities.keep) capabilities.keep.emplace();
  for (const auto word : split_blanks(entry.value)) {
    if (word == "none") {
      capabilities.keep->clear();
    } else {
      add_unique(*capabilities.keep, capability_name(entry, word), entry.origin);
    }
  }
}

void set_seccomp_profile(Lowering& lowering, const RawEntry& entry) {
  auto& seccomp = lowering.spec.seccomp;
  seccomp.origin = entry.origin;
  seccomp.policy.clear();
  if (entry.value.empty()) return;
  if (!lowering.context.read_file) bad_value(entry, "readable here");
  try {
    seccomp.policy = lowering.context.read_file(entry.value);
  } catch (const Error& error) {
    const bool own = entry.value == kCommonSeccompProfile && error.error_number() == ENOENT;
    if (!own) throw error.with_context(entry.key).with_origin(entry.origin);
    seccomp.policy = kCommonPolicy;
  }
  // An empty policy would mean "no filter".
  if (trim(seccomp.policy).empty()) bad_value(entry, "a policy file with content");
}

}  // namespace hutch::config
