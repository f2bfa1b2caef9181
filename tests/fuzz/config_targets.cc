#include "tests/fuzz/config_targets.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "config/lower.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/property_string.h"
#include "config/raw_keys.h"
#include "tests/config/round_trip.h"

namespace hutch::fuzz {

namespace {

void expect(bool holds, std::string_view what, std::string_view input) {
  if (!holds) throw Finding(std::string(what) + ": " + std::string(input));
}

// What every one of these options shares: a value that is read prints as one that is read as the same.
template <typename Value>
void check_printing(std::string_view input, Value (*parse)(std::string_view),
                    std::string (*print)(const Value&)) {
  Value value;
  try {
    value = parse(input);
  } catch (const Error&) {
    return;
  }
  const std::string printed = print(value);
  const Value again = parse(printed);
  expect(again == value, "'" + printed + "' is not read as what was printed", input);
  expect(print(again) == printed, "'" + printed + "' is not printed as it was", input);
}

std::vector<std::string> option_values(std::string_view option) {
  std::vector<std::string> values;
  config::Diagnostics ignored;
  for (const auto& text : corpus_texts()) {
    const auto config = config::read_config(text, "corpus", 100, ignored);
    for (const auto& [key, value] : config.main.options) {
      const auto* row = config::find_option(key);
      if (row != nullptr && row->name == option) values.push_back(value.value);
    }
  }
  return values;
}

constexpr std::array<std::string_view, 7> kPropertyOptions = {"dev",    "features", "mp",    "net",
                                                              "rootfs", "startup",  "unused"};

void check_loose_and_strict(std::string_view option, std::string_view value) {
  const std::string name = std::string(option) + (config::find_option(option) != nullptr ? "" : "0");
  const auto in_file = config::check_file_value(name, value);
  const auto given = config::check_command_line_value(name, value);
  if (!given.ok()) return;
  expect(in_file.ok(), name + ": the command line takes what a file may not have", value);
  const auto stored = config::check_file_value(name, *given.value);
  expect(stored.ok() && *stored.value == *given.value,
         name + ": '" + *given.value + "' is not stored as it is", value);
}

config::LoweringContext context_without_host() {
  config::LoweringContext context;
  context.vmid = 100;
  return context;
}

// A container whose only lines besides the needed ones are id map lines.
config::ContainerConfig config_with_id_map(std::string_view input) {
  config::ContainerConfig config;
  config.main.set("arch", "amd64");
  config.main.set("ostype", "unmanaged");
  config.main.set("rootfs", "/srv");
  for (const auto line : split(input, '\n'))
    config.main.raw.push_back({"lxc.idmap", std::string(trim(line)), {"fuzz", 1}});
  return config;
}

void check_ranges(const std::vector<IdRange>& ranges, std::string_view input) {
  for (const auto& range : ranges) {
    expect(range.count > 0, "an empty range", input);
    expect(range.inside <= UINT32_MAX - range.count && range.host <= UINT32_MAX - range.count,
           "a range beyond the ids", input);
  }
}

}  // namespace

Material config_material() {
  Material material{corpus_texts(), {}, 400};
  for (const auto& option : config::options())
    material.tokens.push_back("\n" + std::string(option.name) + ": ");
  for (const auto& key : config::raw_keys()) material.tokens.push_back("\n" + std::string(key.name) + ": ");
  for (const char* token :
       {"\n[pve:pending]\n", "\n[snap]\n", "\n[x]\n", "\n#", "%41", "\ndelete: ", "\nsnapstate: delete",
        "description: ", "\r\n", "lxc.environment.runtime: A=b", "!"})
    material.tokens.emplace_back(token);
  return material;
}

void run_config_reader(std::string_view input) {
  const std::string complaint = config::round_trip_complaint(input);
  if (!complaint.empty()) throw Finding(complaint);
}

Material property_material() {
  Material material{{}, {}, 200};
  for (std::size_t at = 0; at < kPropertyOptions.size(); ++at) {
    for (const auto& value : option_values(kPropertyOptions[at]))
      material.texts.push_back(std::string(1, static_cast<char>('0' + at)) + value);
    const auto* format = config::property_format(kPropertyOptions[at]);
    if (format == nullptr) continue;
    for (const auto& key : format->keys) material.tokens.push_back("," + std::string(key.name) + "=");
  }
  for (const char* token : {"passthrough", "u:0:1000:1", ";g:5:6:7", "10.0.0.1/24", "fe80::1/64", "8G", "/./",
                            "/../", "noatime;nodev", "local:100/a.raw", "/dev/sda", "order=", "up=", "down="})
    material.tokens.emplace_back(token);
  return material;
}

void run_property_string(std::string_view input) {
  if (input.empty()) return;
  // The first character picks the option; wherever a piece of a text begins, one is picked.
  const auto option = kPropertyOptions[static_cast<unsigned char>(input[0]) % kPropertyOptions.size()];
  const auto value = input.substr(1);
  check_loose_and_strict(option, value);
  if (option == "dev") check_printing(value, config::parse_device, config::print_device);
  if (option == "features") check_printing(value, config::parse_features, config::print_features);
  if (option == "mp") check_printing(value, config::parse_mount_point, config::print_mount_point);
  if (option == "net") check_printing(value, config::parse_net, config::print_net);
  if (option == "rootfs") check_printing(value, config::parse_rootfs, config::print_rootfs);
}

Material id_map_material() {
  return {
      {"u 0 100000 65536\ng 0 100000 65536", "u 0 100000 1000\ng 0 100000 1000\nu 1000 1000 1\ng 1000 1000 1",
       "u 0 0 4294967295\ng 0 0 4294967295", "b 0 100000 65536", "u 1 100000 1\ng 1 100000 1\n\nu 0 5 1"},
      {"\nu ", "\ng ", "\nb ", " 0", " 4294967295", "\n\n", "\t"},
      120};
}

void run_id_map(std::string_view input) {
  ContainerSpec spec;
  try {
    spec = config::lower(config_with_id_map(input), context_without_host()).spec;
  } catch (const Error&) {
    return;
  }
  check_ranges(spec.id_map.uids, input);
  check_ranges(spec.id_map.gids, input);
  expect(spec.unprivileged != spec.id_map.empty(), "unprivileged without a map, or the other way round",
         input);
  expect(spec.id_map.host_uid(spec.init.uid).has_value() || spec.id_map.host_uid(0).has_value(),
         "nobody is the container's root", input);
}

}  // namespace hutch::fuzz
