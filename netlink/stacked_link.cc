#include "netlink/stacked_link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch::netlink {

namespace {

constexpr const char* kKindNames[] = {"macvlan", "ipvlan", "vlan"};

const char* kind_name(const StackedLinkRequest& request) {
  return kKindNames[static_cast<std::size_t>(request.kind)];
}

void put_data(Message& message, const StackedLinkRequest& request) {
  using Kind = StackedLinkRequest::Kind;
  switch (request.kind) {
    case Kind::macvlan: message.put_u32(IFLA_MACVLAN_MODE, request.mode); break;
    case Kind::ipvlan:
      message.put_u16(IFLA_IPVLAN_MODE, static_cast<std::uint16_t>(request.mode));
      message.put_u16(IFLA_IPVLAN_FLAGS, request.ipvlan_flags);
      break;
    case Kind::vlan: message.put_u16(IFLA_VLAN_ID, request.vlan_id); break;
  }
}

}  // namespace

Message create_stacked_link_message(const StackedLinkRequest& request) {
  Message message(
      formatted("cannot create {} '{}' on link {}", kind_name(request), request.name, request.lower_index),
      RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, request.name);
  message.put_u32(IFLA_LINK, static_cast<std::uint32_t>(request.lower_index));
  if (request.netns_fd >= 0) message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(request.netns_fd));
  if (request.mac) message.put_mac(IFLA_ADDRESS, *request.mac);
  if (request.mtu) message.put_u32(IFLA_MTU, *request.mtu);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, kind_name(request));
    message.nest(IFLA_INFO_DATA, [&] { put_data(message, request); });
  });
  return message;
}

void create_stacked_link(Socket& socket, const StackedLinkRequest& request) {
  try {
    socket.request(create_stacked_link_message(request));
  } catch (const Error& error) {
    if (error.error_number() != EOPNOTSUPP) throw;
    throw error.with_hint(formatted("does this kernel have links of the kind {}?", kind_name(request)));
  }
}

}  // namespace hutch::netlink
