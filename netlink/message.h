#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "netlink/mac_address.h"

namespace hutch::netlink {

// One rtnetlink request as bytes (netlink(7), rtnetlink(7)); pure, no socket. NLM_F_REQUEST is always set,
// NLM_F_ACK in everything but RTM_GET* (whose reply is acknowledgement enough); the sequence number stays 0
// until a Socket sends it.
class Message {
 public:
  static constexpr std::size_t kCapacity = 4096;

  // `action` is what the request does, for errors: "cannot create bridge 'vmbr0'". `type` is RTM_*,
  // `flags` a set of NLM_F_* to add.
  Message(std::string action, std::uint16_t type, std::uint16_t flags = 0);

  // Appends a family header (ifinfomsg, ifaddrmsg, rtmsg), before any attribute at its level.
  template <typename Header>
  void put_header(const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    put_raw(&header, sizeof header);
  }

  // Appends an attribute. Throws Error (EMSGSIZE) when the message would outgrow kCapacity.
  void put_bytes(std::uint16_t type, std::span<const std::uint8_t> value);
  void put_u8(std::uint16_t type, std::uint8_t value);
  void put_u16(std::uint16_t type, std::uint16_t value);
  void put_u32(std::uint16_t type, std::uint32_t value);
  void put_u64(std::uint16_t type, std::uint64_t value);
  // A C structure as the kernel declares it.
  template <typename Structure>
  void put_structure(std::uint16_t type, const Structure& value) {
    static_assert(std::is_trivially_copyable_v<Structure>);
    put_attribute(type, &value, sizeof value);
  }
  // With a trailing NUL.
  void put_string(std::uint16_t type, const std::string& value);
  // A link name. Throws Error for one that no link can have under exactly that name: empty (EINVAL), 16
  // bytes or more (ENAMETOOLONG), ".", "..", with '/', ':', blanks (EINVAL), or with '%', which the kernel
  // would replace by a number (EINVAL).
  void put_link_name(std::uint16_t type, const std::string& name);
  void put_mac(std::uint16_t type, const MacAddress& address) { put_bytes(type, address); }

  // Appends an attribute whose value is what `body` appends.
  template <typename Body>
  void nest(std::uint16_t type, Body&& body) {
    const std::size_t start = begin_nest(type);
    body();
    end_nest(start);
  }

  const std::string& action() const { return action_; }
  std::span<const std::byte> bytes() const&;
  std::span<const std::byte> bytes() const&& = delete;  // it would outlive the message
  std::uint16_t type() const;
  // The same bytes under a sequence number; used by Socket.
  void append_to(std::vector<std::byte>& datagram, std::uint32_t sequence) const;

 private:
  nlmsghdr* header();
  const nlmsghdr* header() const;
  void put_raw(const void* data, std::size_t size);
  void put_attribute(std::uint16_t type, const void* data, std::size_t size);
  std::size_t begin_nest(std::uint16_t type);
  void end_nest(std::size_t start);
  [[noreturn]] void throw_full() const;

  std::string action_;
  alignas(nlmsghdr) std::array<std::byte, kCapacity> buffer_;
};

// A received attribute, a view into the message it came from. The accessors throw Error (EBADMSG) when the
// value is too short for what is asked.
class Attribute {
 public:
  explicit Attribute(const nlattr* raw) : raw_(raw) {}
  // NLA_F_NESTED and NLA_F_NET_BYTEORDER taken off.
  std::uint16_t type() const;
  std::span<const std::uint8_t> bytes() const;
  std::uint8_t u8() const;
  std::uint16_t u16() const;
  std::uint32_t u32() const;
  // Up to the first NUL or the end.
  std::string text() const;
  std::vector<Attribute> nested() const;

 private:
  const nlattr* raw_;
};

// The netlink messages in a received datagram. Throws Error (EBADMSG) when it is cut short or its lengths
// contradict each other.
std::vector<std::span<const std::byte>> messages_of(std::span<const std::byte> datagram);

// The kernel's answer to one request (NLMSG_ERROR, netlink(7)).
struct Acknowledgement {
  int error_number = 0;  // 0: done
  std::string text;      // the kernel's explanation (extended acknowledgement), often empty
};

// Throws Error (EBADMSG) when `message` is too short. It must be of type NLMSG_ERROR.
Acknowledgement parse_acknowledgement(std::span<const std::byte> message);

// The attributes behind a family header of `header_size` bytes. Throws Error (EBADMSG) when the message is
// shorter than that.
std::vector<Attribute> attributes_of(std::span<const std::byte> message, std::size_t header_size);

// The family header of a message. Throws Error (EBADMSG) when it is too short.
template <typename Header>
const Header& header_of(std::span<const std::byte> message);

// Part of the template above: the payload, at least `size` bytes of it, aligned as netlink aligns.
const void* payload_of(std::span<const std::byte> message, std::size_t size);

template <typename Header>
const Header& header_of(std::span<const std::byte> message) {
  static_assert(std::is_trivially_copyable_v<Header> && alignof(Header) <= 4);
  return *static_cast<const Header*>(payload_of(message, sizeof(Header)));
}

}  // namespace hutch::netlink
