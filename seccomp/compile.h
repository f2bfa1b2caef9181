#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "seccomp/policy.h"

// Profile -> classic BPF for seccomp(SECCOMP_SET_MODE_FILTER), through libseccomp.
namespace hutch::seccomp {

// The instructions of a filter; pass .data() and .size() in a sock_fprog. Trivially copyable.
using BpfProgram = std::vector<sock_filter>;

// A kernel's architecture, with the ABIs that its processes may use and the filter therefore covers:
// x86_64 has x86_64, x86 and x32; arm64 has arm64 and arm.
enum class Architecture { x86_64, arm64 };

// The architecture that this program was built for.
Architecture native_architecture();

// What becomes of `notify` actions.
enum class Notify {
  refuse,   // nobody listens: the system call fails with ENOSYS, as the kernel has it without a listener
  forward,  // the filter is loaded with a listener (SECCOMP_FILTER_FLAG_NEW_LISTENER)
};

// Compiles. The filter for a version 2 policy covers every ABI of the architecture, for version 1 the native
// one (and no other architecture than native_architecture()); a call through any other ABI kills the thread
// (libseccomp's bad-architecture action).
//
// * A rule of a section that cannot run on the architecture is left out; so is a system call unknown to an
//   ABI (spec: one file serves many kernels).
// * A denying rule of a section that can run holds on all covered ABIs (else the call could be made through
//   another one); an allowing rule holds on its own ABI alone.
// * System call -1 (a tracer skipped the call: ptrace(2), seccomp(2)) runs nothing and is always allowed.
// * Rules of one system call are alternatives. Where two of them can both match: of two denials without
//   conditions the stricter one holds, and a denial without conditions swallows those with conditions; a
//   denial and a permission that can both match throw, because libseccomp would silently lose one of them.
// * A rule whose action is the default one changes nothing.
// * x86's socketcall(2) and ipc(2) carry their arguments in memory, which a filter cannot read. A rule
//   without conditions on such a call (`socket`, `shmget`) holds on x86 for both ways to make it; a rule
//   with conditions is left out on x86, as LXC does (denying all of socketcall would take every socket
//   from 32-bit programs). compile() says nothing about it: gaps() does.
//
// The program neither sets nor needs no_new_privs: who loads it without needs CAP_SYS_ADMIN in its user
// namespace. Deterministic for one version of libseccomp. Throws Error, with the rule's origin: a
// conflict as above, more instructions than the kernel takes (BPF_MAXINSNS, 4096).
BpfProgram compile(const Profile& profile, Architecture architecture = native_architecture(),
                   Notify notify = Notify::refuse);

// A denial that does not do all that its line says on this architecture, and why; one line of text for users.
struct Gap {
  Rule rule;
  std::string reason;
};

// The denials that compile() leaves out: the name is unknown to every covered ABI (a misspelt denial protects
// nothing), or 32-bit programs can make the call where no filter can look (see above). For warnings.
std::vector<Gap> gaps(const Profile& profile, Architecture architecture = native_architecture());

}  // namespace hutch::seccomp
