#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/undo.h"
#include "netlink/bridge_port.h"
#include "netlink/socket.h"
#include "runtime/container_spec.h"
#include "runtime/host_facts.h"

// How the host end of a veth pair is connected (lxc-mapping 5): bridges of Linux with and without VLANs, Open
// vSwitch, traffic limits.
namespace hutch {

// Where undos go, in the order of what they take back.
using PushUndo = std::function<void(std::string name, UndoStack::Action action)>;

// What connects one host end; made by plan_plug.
struct LinkPlug {
  std::string port;    // the host end
  std::string bridge;  // joins this one; empty: none
  // `bridge` stands for one VLAN of this bridge, which cannot tell VLANs apart, and is made if it is missing.
  std::string vlan_of;
  std::uint16_t vlan = 0;
  std::uint32_t bridge_mtu = 1500;
  bool open_vswitch = false;
  std::optional<std::uint16_t> tag;  // Open vSwitch
  std::vector<VlanRange> trunks;     // Open vSwitch
  std::uint32_t mtu = 1500;          // of the link; Open vSwitch is told
  std::vector<netlink::PortVlan> vlans;
  std::string static_mac;  // not empty: the port does not learn, the bridge is told this address
  std::uint64_t rate = 0;  // bytes per second, each way; 0: unlimited
  bool up = true;          // false: it stays down and connected to nothing

  bool operator==(const LinkPlug&) const = default;
};

// Whether a link's host end is more than a port that a bridge takes as it is.
bool needs_plug(const LinkSpec& link, const BridgeFacts* bridge);
// Pure. `bridge` is null for a link without one. Throws Error with the link's origin for VLANs that the
// bridge cannot have.
LinkPlug plan_plug(const LinkSpec& link, const BridgeFacts* bridge);
// "into bridge vmbr0, VLAN 5, at most 1048576 bytes/s"
std::string plug_text(const LinkPlug& plug);

// Connects the host end, which exists and is down or connected elsewhere. Bridges that it makes for a VLAN go
// into `undo`; they are for all containers and stay after this one.
void plug_link(netlink::Socket& socket, const LinkPlug& plug, const PushUndo& undo);
// Leaves the bridge that `plug` describes, its VLANs and limits, and sets the host end down.
void unplug_link(netlink::Socket& socket, const LinkPlug& plug);

// Gives the host end another limit; 0: none.
void limit_link(netlink::Socket& socket, const std::string& port, std::uint64_t rate);

// Takes a port from Open vSwitch, also one whose link is gone. Nothing to do when it has no such port.
void delete_open_vswitch_port(const std::string& port);

// The commands, for tests.
std::vector<std::string> open_vswitch_command(const LinkPlug& plug);

}  // namespace hutch
