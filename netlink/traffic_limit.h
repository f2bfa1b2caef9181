#pragma once

#include <cstdint>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

// Limits of the traffic over a link (tc(8)): what leaves it waits in an htb class, what comes in beyond the
// rate is dropped (police).
namespace hutch::netlink {

// The bytes that may pass at once after a pause.
inline constexpr std::uint32_t kTrafficBurst = 1U << 20;

// `rate` in bytes per second, at least 1, each way. The link must have no limits (clear_traffic_limit).
// ENOENT or EOPNOTSUPP: this kernel lacks htb, the ingress queue, matchall or police; the Error has a hint,
// and what was set before remains set.
void set_traffic_limit(Socket& socket, int index, std::uint64_t rate);
// Back to the kernel's own queues. Nothing to do when there are no limits.
void clear_traffic_limit(Socket& socket, int index);

// The requests of set_traffic_limit, in order: htb queue, its class, ingress queue, its police.
std::vector<Message> traffic_limit_messages(int index, std::uint64_t rate);
// Deletes the queue under `parent` (TC_H_ROOT, TC_H_INGRESS) with all below it.
Message delete_queue_message(int index, std::uint32_t parent);

}  // namespace hutch::netlink
