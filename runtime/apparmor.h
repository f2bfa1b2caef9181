#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"

// AppArmor confinement: the profile of a container as text, its life in the kernel, and the words that
// change a task's label. See apparmor.d(5) and the kernel's Documentation/admin-guide/LSM/apparmor.rst.
namespace hutch {

// Whether the kernel enforces AppArmor: /sys/module/apparmor/parameters/enabled says Y. Throws when it does
// but its interface (securityfs) is not there, because then nothing can be confined. `sys` is where sysfs is.
bool apparmor_enabled(const std::string& sys = "/sys");

// What this host's AppArmor can do. Call only when it is enabled. Throws when what the kernel has cannot be
// read.
struct AppArmorFeatures {
  bool mount_mediation = false;  // kernel: without it a profile does not restrict mounts
  bool stacking = false;         // kernel: domain/stack, version >= 1.2, and the host itself is not stacked
  bool unix_sockets = false;     // kernel: network_v8/af_unix or network/af_unix, `unix` rules
  // Parser: knows policy ABI 4.0 (rules `mqueue` and `userns`, mount option nosymfollow). An older one
  // (Debian 12: 3.0) refuses them as syntax errors, and needs none: it mediates neither.
  bool policy_abi_4 = false;
  bool operator==(const AppArmorFeatures&) const = default;
};
AppArmorFeatures apparmor_features(const std::string& sys = "/sys",
                                   const std::string& etc = "/etc/apparmor.d");

struct AppArmorInput {
  std::string container;  // "101"
  std::string lxc_path = "/var/lib/lxc";
  bool unprivileged = false;
  bool allow_nesting = false;
  bool cgroup_namespace = true;                 // the container gets its own
  AppArmorFeatures features;                    // what the rules may use
  std::vector<Located<std::string>> raw_rules;  // verbatim lines, last in the profile
};

// "lxc-101_</var/lib/lxc>"; longer than 246 bytes: "lxc-" and a 64-bit hash in hex.
std::string apparmor_profile_name(const AppArmorInput& input);
// The policy namespace for the container's own profiles when stacking: the name with slashes as dashes.
std::string apparmor_namespace(const AppArmorInput& input);
// The label of the container's processes: the profile's name, with stacking "name//&:namespace:".
std::string apparmor_label(const AppArmorInput& input);

// The text of the profile, for apparmor_parser. Pure. Raw rules that only permit a whole class of policy
// ABI 4.0
// ("allow mqueue,", "allow userns,") are left out where the parser does not know that ABI. Throws Error (with
// the rule's origin) for a raw rule that holds a line break or a NUL, and for names that cannot stand in a
// profile.
std::string generated_profile(const AppArmorInput& input);

// Compiles and loads a profile (replacing one of the same name) with apparmor_parser. The source goes to
// <cache_directory>/<name, slashes as dashes> and is written only when it changed, so that the parser finds
// its compiled form in <cache_directory>/compiled. Throws; the parser's message is in the error.
void load_profile(const std::string& text, const std::string& name, const std::string& cache_directory);
// Takes a profile out of the kernel; one that is not loaded is fine. Cache files stay.
void unload_profile(const std::string& name, const std::string& sys = "/sys");

// What a task writes in one write(2) to its /proc/thread-self/attr/apparmor/current (before Linux 5.1:
// attr/current) to take a label at once: "changeprofile NAME".
std::string label_change_command(std::string_view label);

}  // namespace hutch
