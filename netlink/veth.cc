#include "netlink/veth.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "base/format.h"

namespace hutch::netlink {

namespace {

void put_end(Message& message, const std::string& name, const std::optional<MacAddress>& mac,
             const VethRequest& request) {
  message.put_link_name(IFLA_IFNAME, name);
  if (mac) message.put_mac(IFLA_ADDRESS, *mac);
  if (request.mtu != 0) message.put_u32(IFLA_MTU, request.mtu);
  // One queue is in use where none is asked for. Without these the kernel makes one for each processor it may
  // ever have, takes all but the first out of use again, and waits for an RCU grace period with the RTNL lock
  // held, at both ends (drivers/net/veth.c, veth_init_queues).
  message.put_u32(IFLA_NUM_TX_QUEUES, request.tx_queues == 0 ? 1 : request.tx_queues);
  message.put_u32(IFLA_NUM_RX_QUEUES, request.rx_queues == 0 ? 1 : request.rx_queues);
}

}  // namespace

Message create_veth_message(const VethRequest& request) {
  Message message(formatted("cannot create link '{}' with peer '{}'", request.host_name, request.peer_name),
                  RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  ifinfomsg header{};
  if (request.host_up) header.ifi_change = header.ifi_flags = IFF_UP;
  message.put_header(header);
  put_end(message, request.host_name, request.host_mac, request);
  if (request.master_index != 0) {
    message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(request.master_index));
  }
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        message.put_header(ifinfomsg{});
        put_end(message, request.peer_name, request.peer_mac, request);
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
