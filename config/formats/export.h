#pragma once

#include <string>

#include "config/container_config.h"
#include "config/lower.h"

// A CT config as a file of another program, complete: defaults, includes and volumes are written out.
namespace hutch::config {

struct Exported {
  std::string text;
  // Text of the policy file that `text` names, to be written beside it; empty: none is needed.
  std::string seccomp_policy;
  // Errors: lines that the format cannot express, and why.
  Diagnostics diagnostics;
};

// LXC's own format (current names). `policy_path` is where the caller will write `seccomp_policy`; "": it
// cannot, and LXC's common policy is named instead. Reading the result with import_lxc() gives a container
// that means the same. Throws Error for a config that cannot be lowered.
Exported export_lxc(const ContainerConfig& config, const LoweringContext& context,
                    const std::string& policy_path);

// libvirt's <domain type='lxc'>.
Exported export_libvirt(const ContainerConfig& config, const LoweringContext& context);

}  // namespace hutch::config
