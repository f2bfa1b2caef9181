#include "netlink/traffic_limit.h"

#include <gtest/gtest.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <cstring>

namespace hutch::netlink {
namespace {

template <typename Structure>
Structure structure_of(const Attribute& attribute) {
  Structure value{};
  EXPECT_EQ(sizeof value, attribute.bytes().size());
  std::memcpy(&value, attribute.bytes().data(), sizeof value);
  return value;
}

std::vector<Attribute> options_of(const Message& message, const std::string& kind) {
  const auto attributes = attributes_of(message.bytes(), sizeof(tcmsg));
  EXPECT_EQ(kind, attributes.at(0).text());
  EXPECT_EQ(TCA_OPTIONS, attributes.at(1).type());
  return attributes.at(1).nested();
}

TEST(TrafficLimitMessages, AreQueueClassIngressPolice) {
  const auto messages = traffic_limit_messages(7, 1U << 20);
  ASSERT_EQ(4U, messages.size());
  EXPECT_EQ(RTM_NEWQDISC, messages[0].type());
  EXPECT_EQ(RTM_NEWTCLASS, messages[1].type());
  EXPECT_EQ(RTM_NEWQDISC, messages[2].type());
  EXPECT_EQ(RTM_NEWTFILTER, messages[3].type());
  for (const auto& message : messages) EXPECT_EQ(7, header_of<tcmsg>(message.bytes()).tcm_ifindex);
  EXPECT_EQ(TC_H_ROOT, header_of<tcmsg>(messages[0].bytes()).tcm_parent);
  EXPECT_EQ(0x10001U, header_of<tcmsg>(messages[1].bytes()).tcm_handle);
  EXPECT_EQ(TC_H_INGRESS, header_of<tcmsg>(messages[2].bytes()).tcm_parent);
  EXPECT_EQ(0xffff0000U, header_of<tcmsg>(messages[3].bytes()).tcm_parent);
}

TEST(TrafficLimitMessages, TheClassHasRateAndBurst) {
  const auto messages = traffic_limit_messages(7, 1U << 20);
  const auto options = options_of(messages[1], "htb");
  ASSERT_EQ(1U, options.size());
  EXPECT_EQ(TCA_HTB_PARMS, options[0].type());
  const auto parameters = structure_of<tc_htb_opt>(options[0]);
  EXPECT_EQ(1U << 20, parameters.rate.rate);
  EXPECT_EQ(1U << 20, parameters.ceil.rate);
  // 1 MiB at 1 MiB/s is a second, in units of 64 ns.
  EXPECT_EQ(1'000'000'000U / 64, parameters.buffer);
}

TEST(TrafficLimitMessages, ARateAbove32BitsHasItsOwnAttributes) {
  const auto messages = traffic_limit_messages(7, 5'000'000'000);
  const auto options = options_of(messages[1], "htb");
  ASSERT_EQ(3U, options.size());
  EXPECT_EQ(UINT32_MAX, structure_of<tc_htb_opt>(options[0]).rate.rate);
  EXPECT_EQ(TCA_HTB_RATE64, options[1].type());
  EXPECT_EQ(5'000'000'000U, structure_of<std::uint64_t>(options[1]));
}

TEST(TrafficLimitMessages, ThePoliceDropsWhatIsTooMuch) {
  const auto messages = traffic_limit_messages(7, 1U << 20);
  const auto options = options_of(messages[3], "matchall");
  const auto action = options.at(0).nested().at(0).nested();
  EXPECT_EQ("police", action.at(0).text());
  const auto police = action.at(1).nested();
  ASSERT_EQ(2U, police.size());
  const auto parameters = structure_of<tc_police>(police[0]);
  EXPECT_EQ(TC_ACT_SHOT, parameters.action);
  EXPECT_EQ(1U << 20, parameters.rate.rate);
  EXPECT_EQ(TCA_POLICE_RATE, police[1].type());
  EXPECT_EQ(1024U, police[1].bytes().size());
}

TEST(TrafficLimitMessages, ASlowRateDoesNotOverflow) {
  const auto messages = traffic_limit_messages(7, 1);
  EXPECT_EQ(UINT32_MAX, structure_of<tc_htb_opt>(options_of(messages[1], "htb")[0]).buffer);
}

}  // namespace
}  // namespace hutch::netlink
