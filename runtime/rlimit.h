#pragma once

#include <sys/resource.h>

#include <optional>
#include <string_view>

#include "runtime/container_spec.h"

// Resource limits (getrlimit(2)) by the names of config files: lower case, without "RLIMIT_".
namespace hutch {

// RLIMIT_NOFILE for "nofile"; nothing for an unknown name.
std::optional<int> rlimit_resource(std::string_view name);

struct Rlimit {
  int resource = 0;  // RLIMIT_*
  rlimit limit{};    // rlim_cur <= rlim_max
};

// What prlimit(2) takes. Throws Error with the spec's origin for an unknown name (the message lists the known
// ones) and for a soft limit above the hard one.
Rlimit resolve_rlimit(const RlimitSpec& spec);

// As the state record has it (ContainerState::resource_limits), and back; parse throws Error on other text.
std::string print_rlimit(const Rlimit& limit);
Rlimit parse_rlimit(std::string_view text);

}  // namespace hutch
