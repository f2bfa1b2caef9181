#include "netlink/message.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::netlink {

namespace {

// rtnetlink numbers its messages in fours: new, delete, get, set.
constexpr std::uint16_t kKindMask = 3;
constexpr std::uint16_t kKindGet = 2;

// A length rounded up to netlink's alignment of four bytes.
constexpr std::size_t aligned(std::size_t length) {
  return (length + 3) & ~std::size_t{3};
}

[[noreturn]] void throw_malformed(std::string_view what) {
  throw Error(formatted("cannot read the kernel's netlink answer: {}", what), EBADMSG);
}

const nlmsghdr* header_in(std::span<const std::byte> message) {
  const void* start = message.data();
  const auto* header = static_cast<const nlmsghdr*>(start);
  if (message.size() < sizeof(nlmsghdr) || header->nlmsg_len < sizeof(nlmsghdr) ||
      header->nlmsg_len > message.size()) {
    throw_malformed("a message is cut short");
  }
  return header;
}

std::vector<Attribute> attributes_in(std::span<const std::byte> bytes) {
  std::vector<Attribute> attributes;
  while (!bytes.empty()) {
    const void* start = bytes.data();
    const auto* attribute = static_cast<const nlattr*>(start);
    if (bytes.size() < sizeof(nlattr) || attribute->nla_len < sizeof(nlattr) ||
        attribute->nla_len > bytes.size()) {
      throw_malformed("an attribute is cut short");
    }
    attributes.emplace_back(attribute);
    // The last one need not be padded.
    bytes = bytes.subspan(std::min(aligned(attribute->nla_len), bytes.size()));
  }
  return attributes;
}

bool is_link_name_character(char c) {
  return c != '/' && c != ':' && c != '%' && !is_blank(c);
}

}  // namespace

Message::Message(std::string action, std::uint16_t type, std::uint16_t flags)
    : action_(std::move(action)), buffer_{} {
  const bool get = (type & kKindMask) == kKindGet;
  header()->nlmsg_len = sizeof(nlmsghdr);
  header()->nlmsg_type = type;
  header()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | (get ? 0 : NLM_F_ACK) | flags);
}

nlmsghdr* Message::header() {
  void* start = buffer_.data();
  return static_cast<nlmsghdr*>(start);
}

const nlmsghdr* Message::header() const {
  const void* start = buffer_.data();
  return static_cast<const nlmsghdr*>(start);
}

void Message::throw_full() const {
  throw Error(action_, EMSGSIZE, formatted("the netlink request would be larger than {} bytes", kCapacity));
}

void Message::put_raw(const void* data, std::size_t size) {
  const std::size_t end = header()->nlmsg_len;
  if (end + aligned(size) > kCapacity) throw_full();
  // The padding is zero since the buffer was made.
  std::memcpy(buffer_.data() + end, data, size);
  header()->nlmsg_len = static_cast<std::uint32_t>(end + aligned(size));
}

void Message::put_attribute(std::uint16_t type, const void* data, std::size_t size) {
  if (header()->nlmsg_len + aligned(sizeof(nlattr) + size) > kCapacity) throw_full();
  const nlattr attribute{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
  std::byte* place = buffer_.data() + header()->nlmsg_len;
  std::memcpy(place, &attribute, sizeof attribute);
  if (size > 0) std::memcpy(place + sizeof attribute, data, size);
  header()->nlmsg_len += static_cast<std::uint32_t>(aligned(attribute.nla_len));
}

void Message::put_bytes(std::uint16_t type, std::span<const std::uint8_t> value) {
  put_attribute(type, value.data(), value.size());
}

void Message::put_u8(std::uint16_t type, std::uint8_t value) {
  put_attribute(type, &value, sizeof value);
}

void Message::put_u16(std::uint16_t type, std::uint16_t value) {
  put_attribute(type, &value, sizeof value);
}

void Message::put_u64(std::uint16_t type, std::uint64_t value) {
  put_attribute(type, &value, sizeof value);
}

void Message::put_u32(std::uint16_t type, std::uint32_t value) {
  put_attribute(type, &value, sizeof value);
}

void Message::put_string(std::uint16_t type, const std::string& value) {
  put_attribute(type, value.c_str(), value.size() + 1);
}

void Message::put_link_name(std::uint16_t type, const std::string& name) {
  if (name.size() >= IFNAMSIZ) {
    throw Error(formatted("{}: the link name '{}' is too long", action_, name), ENAMETOOLONG,
                formatted("use at most {} bytes", IFNAMSIZ - 1));
  }
  if (name.empty() || name == "." || name == ".." ||
      !std::all_of(name.begin(), name.end(), is_link_name_character)) {
    throw Error(formatted("{}: '{}' cannot be the name of a link", action_, name), EINVAL,
                "use letters, digits, '-', '_' and '.'");
  }
  put_string(type, name);
}

std::size_t Message::begin_nest(std::uint16_t type) {
  const std::size_t start = header()->nlmsg_len;
  put_attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), buffer_.data(), 0);
  return start;
}

void Message::end_nest(std::size_t start) {
  void* nest = buffer_.data() + start;
  static_cast<nlattr*>(nest)->nla_len = static_cast<std::uint16_t>(header()->nlmsg_len - start);
}

std::span<const std::byte> Message::bytes() const& {
  return {buffer_.data(), header()->nlmsg_len};
}

std::uint16_t Message::type() const {
  return header()->nlmsg_type;
}

void Message::append_to(std::vector<std::byte>& datagram, std::uint32_t sequence) const {
  const std::size_t start = datagram.size();
  datagram.resize(start + aligned(header()->nlmsg_len));
  nlmsghdr numbered = *header();
  numbered.nlmsg_seq = sequence;
  std::memcpy(datagram.data() + start, buffer_.data(), header()->nlmsg_len);
  std::memcpy(datagram.data() + start, &numbered, sizeof numbered);
}

std::uint16_t Attribute::type() const {
  return static_cast<std::uint16_t>(raw_->nla_type & static_cast<unsigned>(NLA_TYPE_MASK));
}

std::span<const std::uint8_t> Attribute::bytes() const {
  const void* value = raw_ + 1;
  return {static_cast<const std::uint8_t*>(value), raw_->nla_len - sizeof(nlattr)};
}

std::uint8_t Attribute::u8() const {
  if (bytes().empty()) throw_malformed("an 8-bit attribute is cut short");
  return bytes()[0];
}

std::uint16_t Attribute::u16() const {
  std::uint16_t value = 0;
  if (bytes().size() < sizeof value) throw_malformed("a 16-bit attribute is cut short");
  std::memcpy(&value, bytes().data(), sizeof value);
  return value;
}

std::uint32_t Attribute::u32() const {
  std::uint32_t value = 0;
  if (bytes().size() < sizeof value) throw_malformed("a 32-bit attribute is cut short");
  std::memcpy(&value, bytes().data(), sizeof value);
  return value;
}

std::string Attribute::text() const {
  const auto value = bytes();
  return std::string(value.begin(), std::find(value.begin(), value.end(), std::uint8_t{0}));
}

std::vector<Attribute> Attribute::nested() const {
  return attributes_in(std::as_bytes(bytes()));
}

std::vector<std::span<const std::byte>> messages_of(std::span<const std::byte> datagram) {
  std::vector<std::span<const std::byte>> messages;
  while (!datagram.empty()) {
    const std::size_t length = header_in(datagram)->nlmsg_len;
    messages.push_back(datagram.first(length));
    datagram = datagram.subspan(std::min(aligned(length), datagram.size()));
  }
  return messages;
}

Acknowledgement parse_acknowledgement(std::span<const std::byte> message) {
  const nlmsghdr* header = header_in(message);
  const auto& error = header_of<nlmsgerr>(message);
  Acknowledgement acknowledgement;
  acknowledgement.error_number = -error.error;
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return acknowledgement;
  // A kernel that did not cap the answer repeats the whole request before the attributes.
  const bool capped = (header->nlmsg_flags & NLM_F_CAPPED) != 0;
  const std::size_t echoed = capped ? 0 : aligned(error.msg.nlmsg_len) - sizeof(nlmsghdr);
  for (const Attribute& attribute : attributes_of(message, sizeof(nlmsgerr) + echoed)) {
    if (attribute.type() == NLMSGERR_ATTR_MSG) acknowledgement.text = attribute.text();
  }
  return acknowledgement;
}

const void* payload_of(std::span<const std::byte> message, std::size_t size) {
  const nlmsghdr* header = header_in(message);
  if (header->nlmsg_len - sizeof(nlmsghdr) < size) throw_malformed("a message is cut short");
  return header + 1;
}

std::vector<Attribute> attributes_of(std::span<const std::byte> message, std::size_t header_size) {
  payload_of(message, header_size);
  const std::size_t length = header_in(message)->nlmsg_len;
  return attributes_in(
      message.first(length).subspan(std::min(sizeof(nlmsghdr) + aligned(header_size), length)));
}

}  // namespace hutch::netlink
