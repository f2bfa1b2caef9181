#include "cli/hot_plug_link.h"

#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cli/container_volumes.h"
#include "cli/guest_settings.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "guest/setup.h"
#include "runtime/fs_identity.h"
#include "runtime/link_hot_plug.h"
#include "runtime/validate.h"

namespace hutch::cli {

namespace {

auto find_link_of(const ContainerSpec& spec, const std::string& key) {
  return std::find_if(spec.links.begin(), spec.links.end(), [&](const LinkSpec& candidate) {
    return candidate.index == config::option_index(key);
  });
}

LinkSpec link_of(const ContainerSpec& spec, const std::string& key) {
  const auto link = find_link_of(spec, key);
  if (link == spec.links.end()) throw Error(formatted("'{}' is no interface", key));
  return *link;
}

// What of net[n] the guest's network files show.
bool shows_in_guest(const config::PendingChange& change) {
  if (!change.to) return false;  // they are written anew at the next start
  if (!change.from) return true;
  const auto from = config::parse_net(*change.from);
  const auto to = config::parse_net(*change.to);
  return from.name != to.name || from.ip != to.ip || from.gw != to.gw || from.ip6 != to.ip6 ||
         from.gw6 != to.gw6;
}

// The guest's root as its init sees it; never walked by path from here. Throws ESRCH when init is gone.
UniqueFd running_root(const ContainerState& state) {
  UniqueFd root = open_file(AT_FDCWD, formatted("/proc/{}/root", state.init.pid), O_PATH | O_DIRECTORY);
  // Checked after opening: the number may have become another process's.
  if (!is_alive(state.init)) throw Error(formatted("CT {} has just ended", state.vmid), ESRCH);
  return root;
}

LinkSpec active_link(const Sysroot& sysroot, const config::ContainerConfig& config, const std::string& key) {
  return link_of(config::lower(config, make_lowering_context(sysroot, config.vmid)).spec, key);
}

LinkSpec new_link(CommandContext& context, const config::ContainerConfig& config, const std::string& key) {
  return link_of(lower_for_change(context, config, config.main.origin_of(key)), key);
}

// Nothing is made in a network namespace that is not the container's own, so there is nothing to change
// either.
bool is_without_link(const Sysroot& sysroot, const config::ContainerConfig& config, const std::string& key) {
  const auto spec = config::lower(config, make_lowering_context(sysroot, config.vmid)).spec;
  return !spec.namespaces.net && find_link_of(spec, key) == spec.links.end();
}

void write_network_files(CommandContext& context, const ContainerState& state,
                         const config::ContainerConfig& config) {
  const IdMap id_map = id_map_of(config.main, config.vmid);
  const Owner owner{id_map.host_uid(0).value_or(0), id_map.host_gid(0).value_or(0)};
  const UniqueFd root = running_root(state);
  const FsIdentity as_guest(owner.uid, owner.gid);
  guest::Report report;
  guest::setup_network(guest::GuestRoot(root.get(), owner), make_guest_settings(config.main, !id_map.empty()),
                       report);
  for (const auto& warning : report.warnings) context.warn(warning);
}

}  // namespace

ContainerSpec lower_for_change(CommandContext& context, const config::ContainerConfig& config,
                               const Origin& origin) {
  auto result = config::lower(config, make_lowering_context(context.sysroot(), config.vmid));
  for (const auto& diagnostic : result.diagnostics) {
    if (diagnostic.origin != origin) continue;
    if (diagnostic.severity == config::Diagnostic::Severity::error)
      throw Error(diagnostic.message, 0, {}, diagnostic.origin);
    context.warn(diagnostic.text());
  }
  refuse_clashes(result.spec);
  return std::move(result.spec);
}

void change_link(CommandContext& context, const ContainerState& state, const config::ContainerConfig& before,
                 const config::ContainerConfig& after, const config::PendingChange& change, UndoStack& undo) {
  const Sysroot& sysroot = context.sysroot();
  if (is_without_link(sysroot, after, change.key)) {
    if (!change.from) {
      throw Error(formatted("CT {} uses a network namespace that is not its own: no interface can be added",
                            state.vmid),
                  0, "stop it and give it a network namespace of its own first");
    }
    if (is_without_link(sysroot, before, change.key)) return;
  }
  if (!change.from) {
    const LinkSpec link = new_link(context, after, change.key);
    add_link(sysroot, state, link);
    undo.push("remove " + change.key, [=] { remove_link(sysroot, state, link); });
  } else if (!change.to) {
    const LinkSpec link = active_link(sysroot, before, change.key);
    remove_link(sysroot, state, link);
    undo.push("add " + change.key + " again", [=] { add_link(sysroot, state, link); });
  } else {
    const LinkSpec from = active_link(sysroot, before, change.key);
    const LinkSpec to = new_link(context, after, change.key);
    hutch::change_link(sysroot, state, from, to);
    undo.push("change " + change.key + " back", [=] { hutch::change_link(sysroot, state, to, from); });
  }
  if (!shows_in_guest(change)) return;
  undo.push("restore the guest's network files",
            [&context, state, before] { write_network_files(context, state, before); });
  write_network_files(context, state, after);
}

}  // namespace hutch::cli
