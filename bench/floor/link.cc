#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// rtnetlink(7).
namespace hutch::floor_program {

namespace {

struct Request {
  nlmsghdr header;
  ifinfomsg link;
  char attributes[512];
};

rtattr* add_attribute(Request& request, int type, const void* data, size_t size) {
  char* end = reinterpret_cast<char*>(&request) + NLMSG_ALIGN(request.header.nlmsg_len);
  auto* attribute = reinterpret_cast<rtattr*>(end);
  attribute->rta_type = static_cast<unsigned short>(type);
  attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
  if (size > 0) memcpy(RTA_DATA(attribute), data, size);
  request.header.nlmsg_len =
      NLMSG_ALIGN(request.header.nlmsg_len) + static_cast<uint32_t>(RTA_ALIGN(attribute->rta_len));
  return attribute;
}

void close_attribute(Request& request, rtattr* attribute) {
  const char* end = reinterpret_cast<const char*>(&request) + request.header.nlmsg_len;
  attribute->rta_len = static_cast<unsigned short>(end - reinterpret_cast<const char*>(attribute));
}

// Sends one request and waits for its acknowledgement; returns 0 or the errno the kernel answered with.
int transact(Request& request) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("open", "a netlink socket");
  request.header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) fail("send", "a netlink request");
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char echo[1024];
  } answer;
  const ssize_t length = recv(fd, &answer, sizeof answer, 0);
  if (length < static_cast<ssize_t>(sizeof answer.header + sizeof answer.error))
    fail("receive", "a netlink answer");
  close(fd);
  if (answer.header.nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -answer.error.error;
}

Path host_link_name(const char* name) {
  Path link;
  // IFNAMSIZ is 16 with the final zero.
  if (snprintf(link.text, sizeof link.text, "fl%s", name) >= IFNAMSIZ) {
    errno = ENAMETOOLONG;
    fail("name the link of", name);
  }
  return link;
}

}  // namespace

// One RTM_NEWLINK: the host's end up and in the bridge, its peer made inside the container's namespace.
void make_veth(const char* name, const char* bridge, pid_t init) {
  const uint32_t bridge_index = if_nametoindex(bridge);
  if (bridge_index == 0) fail("find the bridge", bridge);
  Request request = {};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = RTM_NEWLINK;
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  request.link.ifi_flags = IFF_UP;
  request.link.ifi_change = IFF_UP;
  const Path host = host_link_name(name);
  add_attribute(request, IFLA_IFNAME, host.text, strlen(host.text) + 1);
  add_attribute(request, IFLA_MASTER, &bridge_index, sizeof bridge_index);
  rtattr* info = add_attribute(request, IFLA_LINKINFO, nullptr, 0);
  add_attribute(request, IFLA_INFO_KIND, "veth", 4);
  rtattr* data = add_attribute(request, IFLA_INFO_DATA, nullptr, 0);
  const ifinfomsg peer_link = {};
  rtattr* peer = add_attribute(request, VETH_INFO_PEER, &peer_link, sizeof peer_link);
  const unsigned char mac[6] = {0xbc, 0x24, 0x11, 0x12, 0x34, 0x56};
  const auto target = static_cast<uint32_t>(init);
  add_attribute(request, IFLA_IFNAME, "eth0", sizeof "eth0");
  add_attribute(request, IFLA_ADDRESS, mac, sizeof mac);
  add_attribute(request, IFLA_NET_NS_PID, &target, sizeof target);
  close_attribute(request, peer);
  close_attribute(request, data);
  close_attribute(request, info);
  errno = transact(request);
  if (errno != 0) fail("make the link", host.text);
}

void remove_veth(const char* name) {
  Request request = {};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = RTM_DELLINK;
  const Path host = host_link_name(name);
  add_attribute(request, IFLA_IFNAME, host.text, strlen(host.text) + 1);
  errno = transact(request);
  if (errno != 0 && errno != ENODEV) fail("remove the link", host.text);
}

}  // namespace hutch::floor_program
