#pragma once

#include <cstdint>
#include <string>

#include "base/sysroot.h"
#include "base/unique_fd.h"

// The hookscript of Proxmox, which is told every step of a container's life.
namespace hutch {

// Runs `<script> <vmid> <phase>` with this process's outputs; throws "hookscript error for 100 on pre-start:
// ..." when it fails.
void run_hookscript(const std::string& script, std::uint32_t vmid, const char* phase);

// The start's turn with the script: a container that ends by itself meanwhile is told of after the start.
// Ends with the object, or the process. Nobody else's clean-up waits longer than five seconds, because a
// script may stop the container itself.
class HookscriptTurn {
 public:
  // The container's state directory must be there, and its supervisor made before.
  HookscriptTurn(const Sysroot& sysroot, std::uint32_t vmid, std::string script);

  // As run_hookscript.
  void tell(const char* phase) const { run_hookscript(script_, vmid_, phase); }

  // Waits for the end of another process's turn; false when it lasts too long.
  static bool wait(const Sysroot& sysroot, std::uint32_t vmid);

 private:
  std::uint32_t vmid_;
  std::string script_;
  UniqueFd file_;
};

}  // namespace hutch
