#include "bench/suite_options.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "bench/variant.h"

namespace hutch::bench {

namespace {

int number(const std::string& option, const std::string& value, int least, int most) {
  const auto parsed = parse_signed(value);
  if (!parsed || *parsed < least || *parsed > most)
    throw Error(formatted("cannot use '{} {}': it takes a number from {} to {}", option, value, least, most));
  return static_cast<int>(*parsed);
}

std::vector<std::string> words_of(const std::string& option, const std::string& value) {
  std::vector<std::string> words;
  for (const auto word : split(value, ',')) {
    if (word.empty()) throw Error(formatted("cannot use '{} {}': a name is empty", option, value));
    words.emplace_back(word);
  }
  return words;
}

// The words of the list that are known, in the order of `known`; an unknown one throws.
std::vector<std::string> chosen(const std::string& option, const std::string& value,
                                const std::vector<std::string>& known) {
  const auto words = words_of(option, value);
  for (const auto& word : words) {
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      throw Error(formatted("cannot use '{} {}': there is no '{}'", option, value, word), 0,
                  "known are: " + join(known, ", "));
    }
  }
  std::vector<std::string> ordered;
  for (const auto& name : known) {
    if (std::find(words.begin(), words.end(), name) != words.end()) ordered.push_back(name);
  }
  return ordered;
}

std::vector<std::string> variants_of(const std::string& option, const std::string& value) {
  auto words = words_of(option, value);
  for (const auto& word : words) find_variant(word);
  return words;
}

void make_quick(SuiteOptions& options) {
  options.quick = true;
  options.rounds = 2;
  options.density = 1;
}

struct OptionRow {
  const char* name;
  const char* value;  // its word in the usage; null: a flag
  const char* help;
  void (*set)(SuiteOptions& options, const std::string& name, const std::string& value);
};

constexpr OptionRow kRows[] = {
    {"--rounds", "N", "counted rounds of every race (40)",
     [](SuiteOptions& options, const std::string& name, const std::string& value) {
       options.rounds = number(name, value, 1, 1000000);
     }},
    {"--only", "GROUP,...", "only these parts",
     [](SuiteOptions& options, const std::string& name, const std::string& value) {
       options.groups = chosen(name, value, group_names());
     }},
    {"--variants", "NAME,...", "only these variants of start",
     [](SuiteOptions& options, const std::string& name, const std::string& value) {
       options.variants = variants_of(name, value);
     }},
    {"--tools", "NAME,...", "only these tools start, ask and stop",
     [](SuiteOptions& options, const std::string& name, const std::string& value) {
       options.tools = chosen(name, value, tool_names());
     }},
    {"--density", "N", "up to N containers running at once (100; 1000 takes about two minutes)",
     [](SuiteOptions& options, const std::string& name, const std::string& value) {
       options.density = number(name, value, 1, 1000);
     }},
    {"--json", "FILE", "write every sample there",
     [](SuiteOptions& options, const std::string&, const std::string& value) {
       options.json = std::filesystem::absolute(value);
     }},
    {"--pictures", "DIR", "draw SVG pictures there",
     [](SuiteOptions& options, const std::string&, const std::string& value) {
       options.pictures = std::filesystem::absolute(value);
     }},
    {"--pct", "PATH", "measure this pct instead of this build's",
     [](SuiteOptions& options, const std::string&, const std::string& value) {
       options.pct = std::filesystem::absolute(value);
     }},
    {"--quick", nullptr, "two rounds, one running container, no Debian: proves that everything works",
     [](SuiteOptions& options, const std::string&, const std::string&) { make_quick(options); }},
    {"--help", nullptr, "this text",
     [](SuiteOptions& options, const std::string&, const std::string&) { options.help = true; }},
};

std::vector<std::string> all_variants() {
  std::vector<std::string> names;
  for (const auto& variant : variant_table()) names.push_back(variant.name);
  return names;
}

}  // namespace

const std::vector<std::string>& group_names() {
  static const std::vector<std::string> names = {"start", "exec",   "stop",    "create",   "destroy",
                                                 "boot",  "memory", "density", "parallel", "micro"};
  return names;
}

const std::vector<std::string>& tool_names() {
  static const std::vector<std::string> names = {"floor", "pct", "lxc", "crun", "runc", "nspawn", "bwrap"};
  return names;
}

SuiteOptions parse_suite_options(const std::vector<std::string>& words) {
  SuiteOptions options;
  options.groups = group_names();
  options.tools = tool_names();
  options.variants = all_variants();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                   [&](const OptionRow& candidate) { return words[i] == candidate.name; });
    if (row == std::end(kRows)) throw Error(formatted("cannot use '{}'", words[i]), 0, "see --help");
    const std::string& name = words[i];
    if (row->value == nullptr) {
      row->set(options, name, {});
      continue;
    }
    if (i + 1 == words.size() || words[i + 1].empty())
      throw Error(formatted("cannot use '{}': it needs a value", name));
    row->set(options, name, words[++i]);
  }
  return options;
}

std::string suite_usage() {
  std::string text = "usage: bench/run [OPTION]...\n";
  for (const auto& row : kRows) {
    const std::string word = row.value == nullptr ? row.name : formatted("{} {}", row.name, row.value);
    text += formatted("  {:<20} {}\n", word, row.help);
  }
  text += formatted("groups: {}\nvariants: {}\ntools: {}\n", join(group_names(), " "),
                    join(all_variants(), " "), join(tool_names(), " "));
  return text;
}

}  // namespace hutch::bench
