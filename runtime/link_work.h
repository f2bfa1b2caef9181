#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "netlink/address.h"
#include "netlink/socket.h"
#include "runtime/start_plan.h"

namespace hutch {

// Does the steps that make links, from the host's network namespace, which the calling thread is in.
// Everything registers its undo right after it; undos are run before the object goes.
class LinkWork {
 public:
  explicit LinkWork(PushUndo push_undo) : push_undo_(std::move(push_undo)) {}

  // The first process, whose network namespace the links go to.
  void set_container(pid_t init) { init_ = init; }
  // For up scripts: as HookCommand's.
  void set_signals(int fd) { signals_ = fd; }

  void perform(const host::CreateLink& step);
  void perform(const host::DisableIpv6& step);
  void perform(const host::PlugLink& step);
  void perform(const host::RouteLink& step);
  void perform(const host::ProxyLink& step);
  void perform(const host::MoveLink& step);
  void perform(const host::RunLinkScripts& step);
  void perform(const host::ConfigureLink& step);

  // With their indexes inside.
  const std::vector<MovedLink>& moved_links() const { return moved_; }
  // Opened at first use.
  int net_namespace();
  netlink::Socket& socket();

 private:
  PushUndo push_undo_;
  pid_t init_ = -1;
  int signals_ = -1;
  std::optional<netlink::Socket> socket_;
  UniqueFd net_namespace_;
  std::vector<MovedLink> moved_;

  void create_veth(const host::CreateLink& step);
  void create_stacked(const host::CreateLink& step);
  int host_index(const std::string& name);
};

// How LinkSpec's addresses and gateways are set up inside; throws Error (EINVAL) for text that is neither.
netlink::InterfaceSetup interface_setup(const LinkSpec& link);

}  // namespace hutch
