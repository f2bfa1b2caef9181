#include "netlink/veth.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "base/format.h"

namespace hutch::netlink {

namespace {

void put_end(Message& message, const std::string& name, const std::optional<MacAddress>& mac, unsigned mtu) {
  message.put_link_name(IFLA_IFNAME, name);
  if (mac) message.put_mac(IFLA_ADDRESS, *mac);
  if (mtu != 0) message.put_u32(IFLA_MTU, mtu);
  // One queue is in use either way. Without these the kernel makes one for each processor it may ever have,
  // takes all but the first out of use again, and waits for an RCU grace period with the RTNL lock held, at
  // both ends (drivers/net/veth.c, veth_init_queues).
  message.put_u32(IFLA_NUM_TX_QUEUES, 1);
  message.put_u32(IFLA_NUM_RX_QUEUES, 1);
}

}  // namespace

Message create_veth_message(const VethRequest& request) {
  Message message(formatted("cannot create link '{}' with peer '{}'", request.host_name, request.peer_name),
                  RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  ifinfomsg header{};
  if (request.host_up) header.ifi_change = header.ifi_flags = IFF_UP;
  message.put_header(header);
  put_end(message, request.host_name, request.host_mac, request.mtu);
  if (request.master_index != 0) {
    message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(request.master_index));
  }
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        message.put_header(ifinfomsg{});
        put_end(message, request.peer_name, request.peer_mac, request.mtu);
        if (request.peer_netns_fd >= 0) {
          message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(request.peer_netns_fd));
        }
      });
    });
  });
  return message;
}

void create_veth(Socket& socket, const VethRequest& request) {
  socket.request(create_veth_message(request));
}

}  // namespace hutch::netlink
