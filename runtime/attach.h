#pragma once

#include <string>
#include <vector>

#include "base/sysroot.h"
#include "runtime/state.h"

namespace hutch {

struct AttachRequest {
  // Empty: the login shell of the container's root, from its /etc/passwd, else /bin/sh.
  std::vector<std::string> argv;
  // Whether the caller's environment goes along; the container's own settings are put on top.
  bool keep_environment = true;
};

// Runs a program inside a running container: in all namespaces of init, in its cgroups, with the
// capabilities, label, no_new_privs and seccomp filter that init was started with, as the container's root.
// Where standard input, output or error is a terminal, the program gets a terminal of the container's own in
// its place, and this process relays; files and pipes are handed over themselves.
//
// Returns what a shell would: the program's exit status, 128 + the signal that killed it, 127 when it does
// not exist, 126 when it cannot be executed. Throws when the container cannot be joined.
int attach(const Sysroot& sysroot, const ContainerState& state, const AttachRequest& request);

}  // namespace hutch
