#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "docs/generator/test_index.h"

namespace hutch::docs {

// A key as it is documented, with the tests that are about it.
struct DocumentedKey {
  std::string name;  // "memory", "net[n]", "net[n] bridge", "lxc.idmap"
  std::string meaning;
  std::string value;
  std::string default_text;
  std::string effect;                 // when a change takes effect
  std::vector<std::size_t> mentions;  // which of the tests have the key
  // A few of them, one per folder, each the one with the fewest other keys: "config: LowerTest.Memory".
  std::vector<std::string> tests;
};

// Everything that the page lists, in its order.
struct OptionTables {
  std::vector<DocumentedKey> options;   // PVE's options, each followed by the keys of its property string
  std::vector<DocumentedKey> raw_keys;  // lxc.*
  std::vector<DocumentedKey> old_names;
};
OptionTables document_keys(const std::vector<TestText>& tests);

// docs/options.md.
std::string options_page(const OptionTables& tables);

// The names of keys that no test is about.
std::vector<std::string> untested_keys(const OptionTables& tables);

}  // namespace hutch::docs
