#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <array>

namespace hutch::fuzz {

using namespace std::string_view_literals;

namespace {

using Change = void (*)(Random& random, const Material& material, std::string& text);

std::size_t place(Random& random, const std::string& text) {
  return random.below(text.size() + 1);
}

// Mostly short.
std::size_t length(Random& random, std::size_t limit) {
  return limit == 0 ? 0 : random.below(1 + std::min(limit, std::size_t{1} << random.below(7)));
}

const std::string& any_of(Random& random, const std::vector<std::string>& choices) {
  return choices[random.below(choices.size())];
}

void change_byte(Random& random, const Material&, std::string& text) {
  if (text.empty()) return;
  text[random.below(text.size())] = static_cast<char>(random.below(256));
}

// Characters that mean something to one parser or another.
void put_separator(Random& random, const Material&, std::string& text) {
  constexpr auto separators = " \t\r\n,;:=#[]\"'/.-%!|<>&\\\0(){}"sv;
  text.insert(text.begin() + static_cast<std::ptrdiff_t>(place(random, text)),
              separators[random.below(separators.size())]);
}

void put_token(Random& random, const Material& material, std::string& text) {
  if (!material.tokens.empty()) text.insert(place(random, text), any_of(random, material.tokens));
}

void replace_by_token(Random& random, const Material& material, std::string& text) {
  if (material.tokens.empty()) return;
  const std::size_t at = place(random, text);
  text.replace(at, length(random, text.size() - at), any_of(random, material.tokens));
}

void remove_piece(Random& random, const Material&, std::string& text) {
  const std::size_t at = place(random, text);
  text.erase(at, length(random, text.size() - at));
}

void repeat_piece(Random& random, const Material&, std::string& text) {
  const std::size_t at = place(random, text);
  text.insert(place(random, text), text.substr(at, length(random, text.size() - at)));
}

void put_number(Random& random, const Material&, std::string& text) {
  constexpr std::array<std::string_view, 18> numbers = {"0",
                                                        "1",
                                                        "-1",
                                                        "00",
                                                        "4094",
                                                        "4096",
                                                        "65535",
                                                        "65536",
                                                        "2147483648",
                                                        "4294967294",
                                                        "4294967295",
                                                        "4294967296",
                                                        "9223372036854775807",
                                                        "18446744073709551615",
                                                        "18446744073709551616",
                                                        "0x7f",
                                                        "1e9",
                                                        "0.000000001"};
  const auto number = numbers[random.below(numbers.size())];
  const auto digit = text.find_first_of("0123456789", place(random, text));
  if (digit == std::string::npos) {
    text.insert(place(random, text), number);
    return;
  }
  const auto end = std::min(text.find_first_not_of("0123456789", digit), text.size());
  text.replace(digit, end - digit, number);
}

void repeat_byte(Random& random, const Material&, std::string& text) {
  if (text.empty()) return;
  text.insert(place(random, text), length(random, 64), text[random.below(text.size())]);
}

// The lines of a config may come in any order.
void move_line(Random& random, const Material&, std::string& text) {
  const auto begin = text.rfind('\n', place(random, text));
  if (begin == std::string::npos) return;
  const auto end = std::min(text.find('\n', begin + 1), text.size());
  const std::string line = text.substr(begin, end - begin);
  text.erase(begin, end - begin);
  text.insert(std::min(text.find('\n', place(random, text)), text.size()), line);
}

// A piece of one of the texts, beginning with a line for the most part.
std::string piece(Random& random, const Material& material) {
  const std::string& text = any_of(random, material.texts);
  std::size_t begin = random.below(text.size() + 1);
  if (!random.one_in(4)) {
    const auto line = text.rfind('\n', begin);
    begin = line == std::string::npos ? 0 : line + 1;
  }
  return text.substr(begin, 1 + random.below(std::min<std::size_t>(material.max_length, 600) / 2));
}

void append_piece(Random& random, const Material& material, std::string& text) {
  text += piece(random, material);
}

constexpr std::array<Change, 11> kChanges = {change_byte,  put_separator, put_token,    replace_by_token,
                                             remove_piece, repeat_piece,  put_number,   repeat_byte,
                                             move_line,    append_piece,  put_separator};

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

std::string mutated(Random& random, const Material& material) {
  const bool whole = material.whole_one_in != 0 && random.one_in(material.whole_one_in);
  std::string text = whole ? any_of(random, material.texts) : piece(random, material);
  for (std::size_t left = random.below(6); left > 0; --left)
    kChanges[random.below(kChanges.size())](random, material, text);
  if (text.size() > material.max_length) text.resize(material.max_length);
  return text;
}

}  // namespace hutch::fuzz
