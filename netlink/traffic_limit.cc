#include "netlink/traffic_limit.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch::netlink {

namespace {

constexpr std::uint32_t kRootQueue = 0x00010000;     // "1:"
constexpr std::uint32_t kOnlyClass = 0x00010001;     // "1:1"
constexpr std::uint32_t kIngressQueue = 0xffff0000;  // "ffff:"
constexpr std::uint32_t kPriority = 50;
// What one frame may have, with segmentation left to the other end of the pair.
constexpr std::uint32_t kLargestFrame = 65536;
// The kernel's unit of time for these structures (net/pkt_sched.h, PSCHED_SHIFT), in nanoseconds.
constexpr std::uint64_t kTick = 64;
// How much of a turn a class gets (net/sched/sch_htb.c warns outside of this).
constexpr std::uint64_t kSmallestQuantum = 1000;
constexpr std::uint64_t kLargestQuantum = 200000;

// How long `bytes` take at `rate`, in ticks.
std::uint32_t ticks(std::uint64_t rate, std::uint64_t bytes) {
  const std::uint64_t nanoseconds = bytes * 1'000'000'000 / rate;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(nanoseconds / kTick, UINT32_MAX));
}

// The table of sending times has 256 rows of 2^n bytes.
constexpr std::uint8_t cell_log() {
  std::uint8_t log = 0;
  while ((kLargestFrame >> log) > 255) ++log;
  return log;
}

tc_ratespec rate_of(std::uint64_t rate) {
  tc_ratespec spec{};
  spec.cell_log = cell_log();
  spec.linklayer = TC_LINKLAYER_ETHERNET;
  spec.rate = static_cast<std::uint32_t>(std::min<std::uint64_t>(rate, UINT32_MAX));
  return spec;
}

tcmsg traffic_header(int index, std::uint32_t parent, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = index;
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

Message message_to_add(const char* what, int index, std::uint16_t type) {
  return Message(formatted("cannot add {} to link {}", what, index), type, NLM_F_CREATE | NLM_F_EXCL);
}

Message queue_message(int index) {
  Message message = message_to_add("a queue of the kind htb", index, RTM_NEWQDISC);
  message.put_header(traffic_header(index, TC_H_ROOT, kRootQueue));
  message.put_string(TCA_KIND, "htb");
  message.nest(TCA_OPTIONS, [&] {
    tc_htb_glob options{};
    options.version = TC_HTB_PROTOVER;
    options.rate2quantum = 10;
    options.defcls = TC_H_MIN(kOnlyClass);
    message.put_structure(TCA_HTB_INIT, options);
  });
  return message;
}

Message class_message(int index, std::uint64_t rate) {
  Message message = message_to_add("a class with a rate", index, RTM_NEWTCLASS);
  message.put_header(traffic_header(index, kRootQueue, kOnlyClass));
  message.put_string(TCA_KIND, "htb");
  message.nest(TCA_OPTIONS, [&] {
    tc_htb_opt options{};
    options.rate = options.ceil = rate_of(rate);
    options.buffer = options.cbuffer = ticks(rate, kTrafficBurst);
    options.quantum = static_cast<std::uint32_t>(std::clamp(rate / 10, kSmallestQuantum, kLargestQuantum));
    message.put_structure(TCA_HTB_PARMS, options);
    if (rate <= UINT32_MAX) return;
    message.put_u64(TCA_HTB_RATE64, rate);
    message.put_u64(TCA_HTB_CEIL64, rate);
  });
  return message;
}

Message ingress_message(int index) {
  Message message = message_to_add("a queue of the kind ingress", index, RTM_NEWQDISC);
  message.put_header(traffic_header(index, TC_H_INGRESS, kIngressQueue));
  message.put_string(TCA_KIND, "ingress");
  return message;
}

void put_police(Message& message, std::uint64_t rate) {
  tc_police police{};
  police.action = TC_ACT_SHOT;
  police.burst = ticks(rate, kTrafficBurst);
  police.mtu = kLargestFrame;
  police.rate = rate_of(rate);
  message.put_structure(TCA_POLICE_TBF, police);
  std::array<std::uint32_t, 256> times{};
  for (std::size_t row = 0; row < times.size(); ++row) times[row] = ticks(rate, (row + 1) << cell_log());
  message.put_structure(TCA_POLICE_RATE, times);
  if (rate > UINT32_MAX) message.put_u64(TCA_POLICE_RATE64, rate);
}

Message police_message(int index, std::uint64_t rate) {
  Message message = message_to_add("a rate for what comes in", index, RTM_NEWTFILTER);
  tcmsg header = traffic_header(index, kIngressQueue, 0);
  header.tcm_info = TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL));
  message.put_header(header);
  message.put_string(TCA_KIND, "matchall");
  constexpr std::uint16_t kFirstAction = 1;
  message.nest(TCA_OPTIONS, [&] {
    message.nest(TCA_MATCHALL_ACT, [&] {
      message.nest(kFirstAction, [&] {
        message.put_string(TCA_ACT_KIND, "police");
        message.nest(TCA_ACT_OPTIONS, [&] { put_police(message, rate); });
      });
    });
  });
  return message;
}

}  // namespace

std::vector<Message> traffic_limit_messages(int index, std::uint64_t rate) {
  return {queue_message(index), class_message(index, rate), ingress_message(index),
          police_message(index, rate)};
}

Message delete_queue_message(int index, std::uint32_t parent) {
  Message message(formatted("cannot take the traffic limit off link {}", index), RTM_DELQDISC);
  message.put_header(traffic_header(index, parent, parent == TC_H_INGRESS ? kIngressQueue : 0));
  return message;
}

void set_traffic_limit(Socket& socket, int index, std::uint64_t rate) {
  // One after the other: with a part missing the rest would only add failures.
  for (const Message& message : traffic_limit_messages(index, rate)) {
    try {
      socket.request(message);
    } catch (const Error& error) {
      const int number = error.error_number();
      const bool missing = number == ENOENT || number == EOPNOTSUPP;
      throw error.with_hint(missing ? "this kernel lacks a part of traffic control (htb, ingress, matchall, "
                                      "police): remove 'rate' or load its modules"
                                    : "");
    }
  }
}

void clear_traffic_limit(Socket& socket, int index) {
  for (const std::uint32_t parent : {TC_H_ROOT, TC_H_INGRESS}) {
    try {
      socket.request(delete_queue_message(index, parent));
    } catch (const Error& error) {
      // ENOENT, EINVAL: there is only the kernel's own queue, or none.
      if (error.error_number() != ENOENT && error.error_number() != EINVAL) throw;
    }
  }
}

}  // namespace hutch::netlink
