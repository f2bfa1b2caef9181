#include "config/sha1.h"

#include <array>
#include <bit>
#include <cstdint>

namespace hutch::config {

namespace {

using State = std::array<std::uint32_t, 5>;

std::uint32_t big_endian_word(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         std::uint32_t{bytes[3]};
}

void add_block(State& state, const unsigned char* block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t i = 0; i < 16; ++i) w[i] = big_endian_word(block + 4 * i);
  for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t f = b ^ c ^ d;
    std::uint32_t k = 0xca62c1d6;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5a827999;
    } else if (i < 40) {
      k = 0x6ed9eba1;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8f1bbcdc;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

std::string to_hex(const State& state) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(40);
  for (const std::uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += digits[word >> shift & 0xf];
  }
  return hex;
}

}  // namespace

std::string sha1_hex(std::string_view data) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const std::uint64_t bits = std::uint64_t{data.size()} * 8;
  while (data.size() >= 64) {
    add_block(state, reinterpret_cast<const unsigned char*>(data.data()));
    data.remove_prefix(64);
  }

  // The rest, one 1 bit, zeros, and the length in bits: one block, or two when the length does not fit.
  std::array<unsigned char, 128> tail{};
  data.copy(reinterpret_cast<char*>(tail.data()), data.size());
  tail[data.size()] = 0x80;
  const std::size_t tail_size = data.size() < 56 ? 64 : 128;
  for (std::size_t i = 0; i < 8; ++i) tail[tail_size - 1 - i] = static_cast<unsigned char>(bits >> 8 * i);
  for (std::size_t at = 0; at < tail_size; at += 64) add_block(state, tail.data() + at);
  return to_hex(state);
}

}  // namespace hutch::config
