#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/fuzz/mutation.h"

namespace hutch::fuzz {

// A property that does not hold for an input.
class Finding : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A parser and what has to hold for every input.
struct Target {
  std::string_view name;
  std::string_view property;
  // From the corpus and the tables; run from the top of the source tree.
  Material (*material)();
  // Throws Finding; any other exception is one, too. Errors that the parser throws at the user are no
  // findings.
  void (*run)(std::string_view input);
};

std::span<const Target> targets();

// The texts of the configs below tests/config/corpus.
std::vector<std::string> corpus_texts();

}  // namespace hutch::fuzz
