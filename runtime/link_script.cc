#include "runtime/link_script.h"

#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

constexpr const char* kTypes[] = {"veth", "macvlan", "ipvlan", "vlan", "phys", "empty"};
// What an empty word is in the record.
constexpr std::string_view kNone = "-";

std::string_view word(const std::string& text) {
  return text.empty() ? kNone : std::string_view(text);
}

}  // namespace

LinkScript link_script(const LinkSpec& link, unsigned version, const Located<std::string>& script) {
  LinkScript result;
  result.index = link.index;
  result.version = version;
  result.type = kTypes[static_cast<std::size_t>(link.kind)];
  if (link.kind != LinkSpec::Kind::empty) result.parent = link.bridge.empty() ? link.lower : link.bridge;
  if (link.kind == LinkSpec::Kind::veth) result.peer = link.host_name;
  result.command = script.value;
  result.origin = script.origin;
  return result;
}

HookCommand link_script_run(const LinkScript& script, bool up, const std::string& container,
                            std::vector<std::string> environment) {
  HookCommand hook;
  hook.command = script.command;
  hook.type = up ? "up" : "down";
  hook.key = formatted("lxc.net.{}.script.{}", script.index, hook.type);
  hook.version = script.version;
  hook.container = container;
  hook.section = "net";
  hook.extras = {script.type, script.parent, script.peer};
  hook.environment = std::move(environment);
  hook.origin = script.origin;
  if (script.version == 0) return hook;
  hook.environment.push_back("LXC_NET_TYPE=" + script.type);
  const bool tells_parent = script.type == "veth" || script.type == "macvlan" || script.type == "phys";
  if (tells_parent) hook.environment.push_back("LXC_NET_PARENT=" + script.parent);
  if (!script.peer.empty()) hook.environment.push_back("LXC_NET_PEER=" + script.peer);
  return hook;
}

std::string print_link_script(const LinkScript& script) {
  return formatted("{} {} {} {} {} {}", script.index, script.version, script.type, word(script.parent),
                   word(script.peer), script.command);
}

std::optional<LinkScript> parse_link_script(std::string_view text) {
  constexpr std::size_t kWords = 5;
  const auto parts = split(text, ' ');
  if (parts.size() <= kWords) return std::nullopt;
  const auto index = parse_unsigned(parts[0]);
  const auto version = parse_unsigned(parts[1]);
  if (!index || !version) return std::nullopt;
  const auto unless_none = [](std::string_view part) {
    return part == kNone ? std::string() : std::string(part);
  };
  LinkScript script;
  script.index = static_cast<unsigned>(*index);
  script.version = static_cast<unsigned>(*version);
  script.type = parts[2];
  script.parent = unless_none(parts[3]);
  script.peer = unless_none(parts[4]);
  const auto command = static_cast<std::size_t>(parts[kWords].data() - text.data());
  script.command = text.substr(command);
  return script;
}

}  // namespace hutch
