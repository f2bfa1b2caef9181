#include "docs/generator/options_page.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/key_documentation.h"
#include "config/lower.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/property_string.h"
#include "config/raw_keys.h"
#include "docs/generator/mention.h"

namespace hutch::docs {

namespace {

using Matcher = std::function<bool(std::string_view text)>;

// Where options have their meaning; elsewhere "memory" is a cgroup controller, and "net" a namespace.
constexpr std::string_view kOptionFolders[] = {"cli", "config", "golden", "guest", "kernel"};

std::vector<std::size_t> tests_about(const std::vector<TestText>& tests, const Matcher& matches) {
  std::vector<std::size_t> found;
  for (std::size_t at = 0; at < tests.size(); ++at) {
    const bool has_options = std::find(std::begin(kOptionFolders), std::end(kOptionFolders),
                                       tests[at].folder) != std::end(kOptionFolders);
    if (has_options && matches(tests[at].body)) found.push_back(at);
  }
  return found;
}

void choose_tests(OptionTables& tables, const std::vector<TestText>& tests) {
  const auto each_key = [&tables](const auto& visit) {
    for (auto* table : {&tables.options, &tables.raw_keys, &tables.old_names}) {
      for (auto& key : *table) visit(key);
    }
  };
  std::vector<std::size_t> keys_of_test(tests.size());
  each_key([&](const DocumentedKey& key) {
    for (const auto at : key.mentions) ++keys_of_test[at];
  });
  each_key([&](DocumentedKey& key) {
    std::map<std::string, std::size_t> best;  // of each folder
    for (const auto at : key.mentions) {
      const auto [chosen, is_first] = best.try_emplace(tests[at].folder, at);
      if (!is_first && keys_of_test[at] < keys_of_test[chosen->second]) chosen->second = at;
    }
    for (const auto& [folder, at] : best) key.tests.push_back(formatted("{}: {}", folder, tests[at].name));
  });
}

std::string effect_of(config::HotPlug hot_plug) {
  switch (hot_plug) {
    case config::HotPlug::fast: return "at once; a running container is not touched";
    case config::HotPlug::live: return "at once, also in a running container";
    case config::HotPlug::live_new: return "a new one at once, else at the next start";
    case config::HotPlug::pending: return "at the next start";
    case config::HotPlug::never: return "not by `set`";
  }
  return {};
}

std::string value_of(const config::PropertyKey& key) {
  switch (key.type) {
    case config::PropertyKey::Type::boolean: return "1 or 0";
    case config::PropertyKey::Type::number: return "number";
    case config::PropertyKey::Type::integer:
      if (key.max == std::numeric_limits<std::uint64_t>::max()) return "whole number";
      return formatted("{} to {}", key.min, key.max);
    case config::PropertyKey::Type::string: return std::string(key.expects);
  }
  return {};
}

// rootfs has no rows of its own.
std::string_view documented_as(std::string_view option) {
  return option == "rootfs" ? "mp" : option;
}

// A test is about a key of a property string when it has the key and the option, or a function that parses
// one.
bool mentions_property(std::string_view text, const config::Option& option, std::string_view function) {
  return mentions_option(text, option.name, option.max_index.has_value()) ||
         (!function.empty() && text.find(function) != std::string_view::npos);
}

struct PropertyFunction {
  std::string_view option;
  std::string_view name;
};
constexpr PropertyFunction kPropertyFunctions[] = {
    {"dev", "parse_device("},   {"features", "parse_features("}, {"mp", "parse_mount_point("},
    {"net", "parse_net("},      {"rootfs", "parse_rootfs("},     {"startup", "parse_startup("},
    {"unused", "parse_unused("}};

std::string_view property_function(std::string_view option) {
  for (const auto& row : kPropertyFunctions) {
    if (row.option == option) return row.name;
  }
  return {};
}

std::string shown_name(const config::Option& option) {
  return std::string(option.name) + (option.max_index ? "[n]" : "");
}

void add_sub_keys(const config::Option& option, const std::vector<TestText>& tests,
                  std::vector<DocumentedKey>& keys) {
  const auto* format = config::property_format(option.name);
  const std::string_view function = property_function(option.name);
  for (const auto& row : config::sub_key_documentation()) {
    if (row.option != documented_as(option.name)) continue;
    const config::PropertyKey* key = nullptr;
    if (format != nullptr) {
      const auto found = std::find_if(format->keys.begin(), format->keys.end(),
                                      [&row](const auto& candidate) { return candidate.name == row.name; });
      if (found == format->keys.end()) continue;  // of mp[n], not of rootfs
      key = &*found;
    }
    // The default key is mostly given without its name.
    const bool nameless = format != nullptr && row.name == format->default_key;
    keys.push_back({formatted("{} {}", shown_name(option), row.name),
                    std::string(row.meaning),
                    key == nullptr ? "whole number" : value_of(*key),
                    std::string(row.default_text),
                    effect_of(option.hot_plug),
                    tests_about(tests,
                                [&](std::string_view text) {
                                  return mentions_property(text, option, function) &&
                                         (nameless || mentions_sub_key(text, row.name));
                                }),
                    {}});
  }
}

DocumentedKey document_option(const config::Option& option, const std::vector<TestText>& tests) {
  const bool indexed = option.max_index.has_value();
  const bool has_keys = !property_function(option.name).empty();
  std::string meaning(option.description);
  if (indexed) meaning += formatted(" n is 0 to {}.", *option.max_index);
  return {
      shown_name(option),
      meaning,
      has_keys ? "its keys: below" : std::string(option.type_text),
      std::string(option.default_text),
      effect_of(option.hot_plug),
      tests_about(tests, [&](std::string_view text) { return mentions_option(text, option.name, indexed); }),
      {}};
}

std::string raw_effect(const config::KeyDocumentation& row, std::string_view example) {
  if (config::raw_key_info(example).key_class == config::RawKeyClass::obsolete) return "never";
  switch (config::raw_key_support(example)) {
    case config::RawKeySupport::honoured: return std::string(row.effect);
    case config::RawKeySupport::refused: return "never: refused by name and line";
  }
  return {};
}

// A name that lowering can be asked about: "lxc.net.[n].type" -> "lxc.net.0.type".
std::string example_name(std::string_view name) {
  std::string example(name);
  if (example.ends_with(".*")) example.replace(example.size() - 1, 1, "x");
  if (const auto open = example.find("[n]"); open != std::string::npos) example.replace(open, 3, "0");
  return example;
}

std::string_view kind_text(config::KeyDocumentation::Kind kind) {
  using enum config::KeyDocumentation::Kind;
  switch (kind) {
    case scalar: return "";
    case list: return " (list)";
    case map: return " (one per name)";
    case flags: return " (words)";
    case clears: return "";
  }
  return "";
}

std::vector<DocumentedKey> document_raw_keys(const std::vector<TestText>& tests) {
  std::vector<DocumentedKey> keys;
  for (const auto& row : config::key_documentation()) {
    keys.push_back(
        {std::string(row.name), std::string(row.meaning),
         std::string(row.value) + std::string(kind_text(row.kind)), std::string(row.default_text),
         raw_effect(row, example_name(row.name)),
         tests_about(tests, [&row](std::string_view text) { return mentions_raw_key(text, row.name); })});
  }
  return keys;
}

std::vector<DocumentedKey> document_old_names(const std::vector<TestText>& tests) {
  std::vector<DocumentedKey> keys;
  const auto add = [&](const config::RawKey& row, std::string_view family) {
    if (row.key_class != config::RawKeyClass::renamed) return;
    const std::string name = std::string(row.name) + std::string(family);
    keys.push_back({name,
                    formatted("`{}{}`", row.current, family),
                    {},
                    {},
                    {},
                    tests_about(tests, [&](std::string_view text) { return mentions_raw_key(text, name); })});
  };
  for (const auto& row : config::raw_keys()) add(row, "");
  for (const auto& row : config::raw_key_prefixes()) add(row, "*");
  return keys;
}

// A cell of a table must hold neither the character that ends it nor anything like HTML.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '<' ? "&lt;" : std::string(1, c);
  }
  return escaped;
}

void append_table(std::string& page, const std::vector<DocumentedKey>& keys) {
  page +=
      "| key | meaning | value | default | a change takes effect | tests |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const auto& key : keys) {
    page += formatted("| `{}` | {} | {} | {} | {} | {} |\n", key.name, cell(key.meaning), cell(key.value),
                      cell(key.default_text), key.effect, cell(join(key.tests, "; ")));
  }
}

constexpr std::string_view kHead =
    "# Options and keys\n\n"
    "<!-- Written by hutch-options from the key tables and the tests; do not edit. Anew:\n"
    "     cmake --build build/release --target hutch-options && build/release/docs/hutch-options --write "
    "docs/options.md -->\n\n"
    "Every line that a container's config may have: `key: value`, in `/etc/pve/lxc/<vmid>.conf`. Comment "
    "lines at the\n"
    "top of a section (`#`) are its description. The last column names tests about the key, one of each "
    "folder below\n"
    "`tests/` at most.\n";

constexpr std::string_view kRawHead =
    "\n## Raw keys: lxc.*\n\n"
    "Lines of LXC, `key: value` or `key = value`. They count after all options and in their order, so the "
    "last one\n"
    "wins. An empty value takes a setting back: it clears lists, and resets the others to what holds without "
    "any line\n"
    "of that key. Of a list every line counts.\n\n";

constexpr std::string_view kOldHead =
    "\n## Old names\n\n"
    "Read with a warning as what they are called now, and kept as they are written.\n\n"
    "| old name | is now | tests |\n| --- | --- | --- |\n";

}  // namespace

OptionTables document_keys(const std::vector<TestText>& tests) {
  OptionTables tables;
  for (const auto& option : config::options()) {
    tables.options.push_back(document_option(option, tests));
    add_sub_keys(option, tests, tables.options);
  }
  tables.raw_keys = document_raw_keys(tests);
  tables.old_names = document_old_names(tests);
  choose_tests(tables, tests);
  return tables;
}

std::string options_page(const OptionTables& tables) {
  std::string page(kHead);
  page += "\n## Options\n\n";
  append_table(page, tables.options);
  page += kRawHead;
  append_table(page, tables.raw_keys);
  page += kOldHead;
  for (const auto& key : tables.old_names)
    page += formatted("| `{}` | {} | {} |\n", key.name, key.meaning, cell(join(key.tests, "; ")));
  return page;
}

std::vector<std::string> untested_keys(const OptionTables& tables) {
  std::vector<std::string> names;
  for (const auto* table : {&tables.options, &tables.raw_keys, &tables.old_names}) {
    for (const auto& key : *table) {
      if (key.tests.empty()) names.push_back(key.name);
    }
  }
  return names;
}

}  // namespace hutch::docs
