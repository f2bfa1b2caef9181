#include "cli/guest_settings.h"

#include "config/options.h"
#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::cli {

namespace {

std::vector<std::string> list_of(const config::Section& options, const char* key) {
  std::vector<std::string> values;
  const std::string text = options.get(key).value_or("");
  for (const auto part : config::split_list(text)) values.emplace_back(part);
  return values;
}

}  // namespace

guest::GuestSettings make_guest_settings(const config::Section& options, bool unprivileged) {
  guest::GuestSettings settings;
  settings.hostname = options.get("hostname").value_or("");
  settings.ostype = options.get("ostype").value_or("");
  for (const auto& key : options.indexed_keys("net")) {
    const auto net = config::parse_net(*options.get(key));
    settings.interfaces.push_back(
        {static_cast<int>(*config::option_index(key)), net.name, net.ip, net.gw, net.ip6, net.gw6});
  }
  settings.nameservers = list_of(options, "nameserver");
  settings.search_domains = list_of(options, "searchdomain");
  settings.timezone = options.get("timezone").value_or("");
  settings.tty_count = static_cast<int>(options.unsigned_number("tty").value_or(2));
  settings.unprivileged = unprivileged;
  if (const auto features = options.get("features")) {
    settings.nesting = config::parse_features(*features).nesting.value_or(false);
  }
  guest::read_host_settings("", settings);
  return settings;
}

}  // namespace hutch::cli
