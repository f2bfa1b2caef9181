#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Inputs for the fuzzers: pieces of known texts, changed at random, the same for the same seed.
namespace hutch::fuzz {

// SplitMix64 (Steele, Lea, Flood 2014): any seed is good, and the next one gives an unrelated sequence.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // 0 to `limit` - 1; `limit` is not 0.
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

struct Material {
  std::vector<std::string> texts;   // whole inputs
  std::vector<std::string> tokens;  // words that the parser knows
  std::size_t max_length = 512;     // of an input
  // How often an input begins with a whole text instead of a piece of one; 0: never. For formats of which a
  // piece is no document.
  std::size_t whole_one_in = 0;
};

// One input: a piece of a text, or of two, with some bytes, words, lines or numbers changed.
std::string mutated(Random& random, const Material& material);

}  // namespace hutch::fuzz
