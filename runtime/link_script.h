#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/container_spec.h"
#include "runtime/hook_command.h"

namespace hutch {

// A network script, with what it is told about its link (lxc-lifecycle 9.3).
struct LinkScript {
  unsigned index = 0;    // of lxc.net.[i]
  unsigned version = 0;  // lxc.hook.version
  std::string type;      // "veth"
  std::string parent;    // the bridge or the link below; may be empty
  std::string peer;      // veth: the host end
  std::string command;
  Origin origin;

  bool operator==(const LinkScript&) const = default;
};

// The link's script.up or script.down.
LinkScript link_script(const LinkSpec& link, unsigned version, const Located<std::string>& script);

// Its run; `up` or else down. `environment`: what all hooks of the container find.
HookCommand link_script_run(const LinkScript& script, bool up, const std::string& container,
                            std::vector<std::string> environment);

// One line without newlines, for the state record; and back (nothing when it is not understood). The origin
// is not part of it.
std::string print_link_script(const LinkScript& script);
std::optional<LinkScript> parse_link_script(std::string_view text);

}  // namespace hutch
