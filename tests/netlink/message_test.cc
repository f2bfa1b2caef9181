#include "netlink/message.h"

#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "base/error.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

using ::testing::HasSubstr;

std::vector<unsigned> octets(std::span<const std::byte> bytes) {
  std::vector<unsigned> values;
  for (const std::byte value : bytes) values.push_back(std::to_integer<unsigned>(value));
  return values;
}

TEST(Message, BytesOfAHeaderAndAttributes) {
  Message message("cannot test", RTM_NEWLINK, NLM_F_CREATE);
  ifinfomsg header{};
  header.ifi_index = 7;
  message.put_header(header);
  message.put_string(IFLA_IFNAME, "eth0");
  message.put_u8(200, 9);
  // netlink(7): length, type, flags, sequence, port; little-endian here. NLM_F_CREATE|ACK|REQUEST = 0x405.
  const std::vector<unsigned> expected = {
      52, 0, 0,   0, 16,  0,   5,   4,   0, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr
      0,  0, 0,   0, 7,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0,  // ifinfomsg
      9,  0, 3,   0, 'e', 't', 'h', '0', 0, 0, 0, 0,              // IFLA_IFNAME, padded
      5,  0, 200, 0, 9,   0,   0,   0,                            // an 8-bit value, padded
  };
  EXPECT_EQ(expected, octets(message.bytes()));
}

TEST(Message, GetAsksForNoAcknowledgement) {
  const Message message("cannot test", RTM_GETLINK);
  const std::vector<unsigned> expected = {16, 0, 0, 0, 18, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(expected, octets(message.bytes()));
}

TEST(Message, NestedAttributesReadBack) {
  Message message("cannot test", RTM_NEWLINK);
  message.put_header(ifinfomsg{});
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] { message.put_u32(IFLA_BR_FORWARD_DELAY, 0x01020304); });
  });
  message.put_u32(IFLA_MTU, 1400);
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(2U, attributes.size());
  EXPECT_EQ(IFLA_LINKINFO, attributes[0].type());
  EXPECT_EQ(1400U, attributes[1].u32());
  const auto info = attributes[0].nested();
  ASSERT_EQ(2U, info.size());
  EXPECT_EQ("bridge", info[0].text());
  EXPECT_EQ(IFLA_INFO_DATA, info[1].type());
  EXPECT_EQ(0x01020304U, info[1].nested().at(0).u32());
}

TEST(Message, OutgrowingTheBufferIsAnError) {
  Message message("cannot do it", RTM_NEWLINK);
  const std::vector<std::uint8_t> large(Message::kCapacity - sizeof(nlmsghdr) - sizeof(nlattr));
  message.put_bytes(1, large);  // fits exactly
  EXPECT_EQ(Message::kCapacity, message.bytes().size());
  EXPECT_EQ(EMSGSIZE, errno_of([&] { message.put_u8(1, 0); }));
  EXPECT_EQ(EMSGSIZE, errno_of([&] { message.put_header(ifinfomsg{}); }));
  EXPECT_EQ(EMSGSIZE, errno_of([&] { message.nest(1, [] {}); }));
  EXPECT_THAT(error_of([&] { message.put_u8(1, 0); }), HasSubstr("cannot do it: EMSGSIZE"));
  EXPECT_EQ(Message::kCapacity, message.bytes().size());
}

TEST(Message, LinkNames) {
  const auto put = [](const std::string& name) {
    Message message("cannot do it", RTM_NEWLINK);
    message.put_link_name(IFLA_IFNAME, name);
  };
  EXPECT_EQ(0, errno_of([&] { put("veth99999999i10"); }));
  EXPECT_EQ(ENAMETOOLONG, errno_of([&] { put("veth999999999i10"); }));
  EXPECT_THAT(error_of([&] { put("veth999999999i10"); }), HasSubstr("use at most 15 bytes"));
  for (const char* name : {"", ".", "..", "a/b", "a:b", "a b", "a\tb", "eth%d"}) {
    EXPECT_EQ(EINVAL, errno_of([&] { put(name); })) << name;
  }
}

TEST(Message, SequenceIsSetInTheDatagramOnly) {
  Message message("cannot test", RTM_NEWLINK);
  message.put_header(ifinfomsg{});
  std::vector<std::byte> datagram;
  message.append_to(datagram, 5);
  message.append_to(datagram, 6);
  const auto messages = messages_of(datagram);
  ASSERT_EQ(2U, messages.size());
  EXPECT_EQ(5U, octets(messages[0])[8]);
  EXPECT_EQ(6U, octets(messages[1])[8]);
  EXPECT_EQ(0U, octets(message.bytes())[8]);
}

TEST(Datagram, CutShortIsAnError) {
  Message message("cannot test", RTM_NEWLINK);
  message.put_header(ifinfomsg{});
  message.put_u32(IFLA_MTU, 1400);
  for (std::size_t size = 1; size < message.bytes().size(); ++size) {
    EXPECT_EQ(EBADMSG, errno_of([&] { messages_of(message.bytes().first(size)); })) << size;
  }
  EXPECT_TRUE(messages_of({}).empty());
  const Message empty("", RTM_NEWLINK);
  EXPECT_EQ(EBADMSG, errno_of([&] { header_of<nlmsgerr>(empty.bytes()); }));
}

TEST(Attribute, ShortValuesAreErrors) {
  Message message("cannot test", RTM_NEWLINK);
  message.put_bytes(1, {});
  const auto attribute = attributes_of(message.bytes(), 0).at(0);
  EXPECT_EQ(EBADMSG, errno_of([&] { attribute.u8(); }));
  EXPECT_EQ(EBADMSG, errno_of([&] { attribute.u32(); }));
  EXPECT_EQ("", attribute.text());
  EXPECT_TRUE(attribute.nested().empty());
}

TEST(Attribute, LengthBeyondTheMessageIsAnError) {
  Message message("cannot test", RTM_NEWLINK);
  message.put_u32(1, 0);
  alignas(nlmsghdr) std::array<std::byte, 24> bytes{};
  std::memcpy(bytes.data(), message.bytes().data(), bytes.size());
  bytes[16] = std::byte{200};  // the attribute's length
  EXPECT_EQ(EBADMSG, errno_of([&] { attributes_of(bytes, 0); }));
}

TEST(Acknowledgement, ErrnoAndText) {
  Message message("", NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS);
  nlmsgerr error{};
  error.error = -EEXIST;
  error.msg.nlmsg_len = 4000;  // of the request, which a capped answer does not repeat
  message.put_header(error);
  message.put_string(NLMSGERR_ATTR_MSG, "name is taken");
  const Acknowledgement answer = parse_acknowledgement(message.bytes());
  EXPECT_EQ(EEXIST, answer.error_number);
  EXPECT_EQ("name is taken", answer.text);
}

TEST(Acknowledgement, TextBehindARepeatedRequest) {
  Message message("", NLMSG_ERROR, NLM_F_ACK_TLVS);
  nlmsgerr error{};
  error.error = -EINVAL;
  error.msg.nlmsg_len = sizeof(nlmsghdr) + sizeof(ifinfomsg);
  message.put_header(error);
  message.put_header(ifinfomsg{});
  message.put_string(NLMSGERR_ATTR_MSG, "no");
  EXPECT_EQ("no", parse_acknowledgement(message.bytes()).text);
}

TEST(Acknowledgement, SuccessAndShortAnswers) {
  Message message("", NLMSG_ERROR);
  EXPECT_EQ(EBADMSG, errno_of([&] { parse_acknowledgement(message.bytes()); }));
  message.put_header(nlmsgerr{});
  EXPECT_EQ(0, parse_acknowledgement(message.bytes()).error_number);
}

}  // namespace
}  // namespace hutch::netlink
