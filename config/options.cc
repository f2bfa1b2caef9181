#include "config/options.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/option_formats.h"
#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

using Type = Option::Type;

constexpr std::string_view kArchWords[] = {"amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"};
constexpr std::string_view kConsoleModes[] = {"shell", "console", "tty"};
constexpr std::string_view kLockWords[] = {"backup",  "create",  "destroyed", "disk",     "fstrim",
                                           "migrate", "mounted", "rollback",  "snapshot", "snapshot-delete"};
constexpr std::string_view kOsTypes[] = {"debian",    "devuan", "ubuntu", "centos", "fedora",   "opensuse",
                                         "archlinux", "alpine", "gentoo", "nixos",  "unmanaged"};
constexpr std::string_view kSnapStates[] = {"prepare", "delete"};

constexpr Option kOptions[] = {
    {.name = "arch",
     .type = Type::enumeration,
     .words = kArchWords,
     .default_text = "amd64",
     .type_text = "<amd64 | arm64 | armhf | i386 | riscv32 | riscv64>",
     .description = "Processor architecture of the guest's programs."},
    {.name = "cmode",
     .type = Type::enumeration,
     .words = kConsoleModes,
     .default_text = "tty",
     .type_text = "<console | shell | tty>",
     .description = "What the console command opens: a login on a free tty, /dev/console, or a shell "
                    "without login."},
    {.name = "console",
     .type = Type::boolean,
     .default_text = "1",
     .type_text = "<boolean>",
     .description = "Give the container a /dev/console."},
    {.name = "cores",
     .type = Type::integer,
     .min = 1,
     .max = 8192,
     .hot_plug = HotPlug::fast,
     .type_text = "<integer> (1 - 8192)",
     .description = "How many CPUs the container sees and may use; all of the host's when unset."},
    {.name = "cpulimit",
     .type = Type::number,
     .min = 0,
     .max = 8192,
     .default_text = "0",
     .hot_plug = HotPlug::live,
     .type_text = "<number> (0 - 8192)",
     .description = "CPU time limit in CPUs: 0.5 is half of one CPU's time, 0 is no limit."},
    {.name = "cpuunits",
     .type = Type::integer,
     .min = 0,
     .max = 500000,
     .normalise = clamped_cpu_units,
     .default_text = "100",
     .hot_plug = HotPlug::live,
     .type_text = "<integer> (0 - 500000)",
     .description = "CPU weight against other containers when CPU time is short; 1 to 10000 are used, more "
                    "counts as 10000."},
    {.name = "debug",
     .type = Type::boolean,
     .default_text = "0",
     .type_text = "<boolean>",
     .description = "Start with detailed logging."},
    {.name = "description",
     .max_length = 8192,
     .hot_plug = HotPlug::fast,
     .type_text = "<string>",
     .description = "Free text about the container, kept as comment lines on top of its config file."},
    {.name = "dev",
     .check_format = check_device,
     .normalise = normalised_device,
     .hot_plug = HotPlug::live_new,
     .type_text = "[path=]<path>[,deny-write=<1|0>][,gid=<integer>][,mode=<octal mode>][,uid=<integer>]",
     .description = "A device node of the host to pass into the container; mode and the ids are those seen "
                    "inside.",
     .max_index = 255},
    {.name = "entrypoint",
     .check_format = check_entry_point,
     .default_text = "/sbin/init",
     .type_text = "<string>",
     .description = "The command that runs as the container's first process."},
    {.name = "env",
     .check_format = check_environment,
     .type_text = "<string>",
     .description = "Environment of the container's first process: NAME=value, several separated by NUL."},
    {.name = "features",
     .check_format = check_features,
     .normalise = normalised_features,
     .type_text = "[force_rw_sys=<1|0>][,fuse=<1|0>][,keyctl=<1|0>][,mknod=<1|0>][,mount=<type;type;...>]"
                  "[,nesting=<1|0>]",
     .description = "What the container may do beyond the usual: run containers itself (nesting), use "
                    "keyctl(2), mount FUSE or the listed file systems, make device nodes, write to /sys."},
    {.name = "hookscript",
     .check_format = check_volume_id,
     .hot_plug = HotPlug::fast,
     .type_text = "<volume id>",
     .description = "Script (content type snippets) that is run at the steps of starting and stopping."},
    {.name = "hostname",
     .max_length = 255,
     .check_format = check_hostname,
     .hot_plug = HotPlug::fast,
     .type_text = "<string>",
     .description = "Host name of the container; CT<vmid> when unset."},
    {.name = "lock",
     .type = Type::enumeration,
     .words = kLockWords,
     .hot_plug = HotPlug::fast,
     .type_text = "<backup | create | destroyed | disk | fstrim | migrate | mounted | rollback | snapshot | "
                  "snapshot-delete>",
     .description = "Marks a command in progress that blocks others."},
    {.name = "memory",
     .type = Type::integer,
     .min = 16,
     .max = kMostMebibytes,
     .default_text = "512",
     .hot_plug = HotPlug::live,
     .type_text = "<integer> (16 - N)",
     .description = "Memory limit in MiB."},
    {.name = "mp",
     .check_format = check_mount_point,
     .normalise = normalised_mount_point,
     .hot_plug = HotPlug::live_new,
     .type_text = "[volume=]<volume>,mp=<path>[,acl=<1|0>][,backup=<1|0>][,idmap=<map>][,keepattrs=<1|0>]"
                  "[,mountoptions=<opt;opt;...>][,quota=<1|0>][,replicate=<1|0>][,ro=<1|0>][,shared=<1|0>]"
                  "[,size=<size>]",
     .description = "A volume, host device or host directory mounted at a path inside. STORAGE:SIZE makes a "
                    "new volume of SIZE GiB.",
     .max_index = 255},
    {.name = "nameserver",
     .check_format = check_name_servers,
     .normalise = blank_separated,
     .type_text = "<string>",
     .description = "DNS servers for the guest's resolv.conf; the host's at every start when unset."},
    {.name = "net",
     .check_format = check_net,
     .hot_plug = HotPlug::live,
     .type_text = "name=<string>[,bridge=<bridge>][,firewall=<1|0>][,gw=<IPv4>][,gw6=<IPv6>]"
                  "[,host-managed=<1|0>][,hwaddr=<XX:XX:XX:XX:XX:XX>][,ip=<IPv4/CIDR|dhcp|manual>]"
                  "[,ip6=<IPv6/CIDR|auto|dhcp|manual>][,link_down=<1|0>][,mtu=<integer>][,rate=<MiB/s>]"
                  "[,tag=<integer>][,trunks=<vlan;vlan;...>][,type=<veth>]",
     .description = "A network interface: its name inside, the host bridge it is attached to, its addresses.",
     .max_index = 31},
    {.name = "onboot",
     .type = Type::boolean,
     .default_text = "0",
     .hot_plug = HotPlug::fast,
     .type_text = "<boolean>",
     .description = "Start the container when the host boots; kept, nothing here acts on it yet."},
    {.name = "ostype",
     .type = Type::enumeration,
     .words = kOsTypes,
     .type_text = "<alpine | archlinux | centos | debian | devuan | fedora | gentoo | nixos | opensuse | "
                  "ubuntu | unmanaged>",
     .description = "The guest's distribution, which decides how its files are set up; unmanaged leaves them "
                    "alone."},
    {.name = "parent",
     .max_length = 40,
     .check_format = check_config_id,
     .hot_plug = HotPlug::never,
     .type_text = "<string>",
     .description = "The snapshot that the current state is based on.",
     .internal = true},
    {.name = "protection",
     .type = Type::boolean,
     .default_text = "0",
     .hot_plug = HotPlug::fast,
     .type_text = "<boolean>",
     .description = "Refuse to destroy the container and to change or remove its volumes."},
    {.name = "rootfs",
     .check_format = check_rootfs,
     .normalise = normalised_rootfs,
     .type_text = "[volume=]<volume>[,acl=<1|0>][,idmap=<map>][,mountoptions=<opt;opt;...>][,quota=<1|0>]"
                  "[,replicate=<1|0>][,ro=<1|0>][,shared=<1|0>][,size=<size>]",
     .description = "The volume that is the container's root file system."},
    {.name = "searchdomain",
     .check_format = check_search_domains,
     .normalise = blank_separated,
     .type_text = "<string>",
     .description = "DNS search domains for the guest's resolv.conf; the host's at every start when unset."},
    {.name = "snapstate",
     .type = Type::enumeration,
     .words = kSnapStates,
     .hot_plug = HotPlug::never,
     .type_text = "<delete | prepare>",
     .description = "An unfinished operation on a snapshot.",
     .internal = true},
    {.name = "snaptime",
     .type = Type::integer,
     .hot_plug = HotPlug::never,
     .type_text = "<integer> (0 - N)",
     .description = "When a snapshot was taken, in seconds since 1970.",
     .internal = true},
    {.name = "startup",
     .check_format = check_startup,
     .hot_plug = HotPlug::fast,
     .type_text = "[[order=]<number>][,up=<seconds>][,down=<seconds>]",
     .description =
         "Place in the order of starting at boot (stopping runs the other way round), the wait after "
         "starting it, and the time limit for stopping it."},
    {.name = "swap",
     .type = Type::integer,
     .max = kMostMebibytes,
     .default_text = "512",
     .hot_plug = HotPlug::live,
     .type_text = "<integer> (0 - N)",
     .description = "Swap limit in MiB, in addition to memory."},
    {.name = "tags",
     .check_format = check_tags,
     .normalise = normalised_tags,
     .hot_plug = HotPlug::fast,
     .type_text = "<string>",
     .description = "Words to group containers by; no effect on the container."},
    {.name = "template",
     .type = Type::boolean,
     .default_text = "0",
     .type_text = "<boolean>",
     .description = "The container is a template: it is cloned, not started."},
    {.name = "timezone",
     .check_format = check_timezone,
     .type_text = "<string>",
     .description = "Time zone set inside: 'host', 'UTC' or a zone's name; untouched when unset."},
    {.name = "tty",
     .type = Type::integer,
     .min = 0,
     .max = 6,
     .default_text = "2",
     .type_text = "<integer> (0 - 6)",
     .description = "How many ttys (/dev/tty1 and on) the container has."},
    {.name = "unprivileged",
     .type = Type::boolean,
     .default_text = "0",
     .hot_plug = HotPlug::never,
     .type_text = "<boolean>",
     .description = "Run in a user namespace, so that the container's root is nobody on the host. Chosen at "
                    "creation (then 1 by default)."},
    {.name = "unused",
     .check_format = check_unused,
     .type_text = "[volume=]<volume id>",
     .description = "A volume of the container that nothing uses any more; deleting the entry frees it.",
     .max_index = 255},
};

constexpr bool names_are_sorted() {
  for (std::size_t i = 1; i < std::size(kOptions); ++i) {
    if (kOptions[i - 1].name >= kOptions[i].name) return false;
  }
  return true;
}
static_assert(names_are_sorted(), "find_option searches by halving");

const Option* find_name(std::string_view name) {
  const auto found =
      std::lower_bound(std::begin(kOptions), std::end(kOptions), name,
                       [](const Option& option, std::string_view key) { return option.name < key; });
  return found != std::end(kOptions) && found->name == name ? found : nullptr;
}

// Splits "mp12" into "mp" and "12"; the digits are empty for other names.
std::pair<std::string_view, std::string_view> split_index(std::string_view name) {
  const auto last = name.find_last_not_of("0123456789");
  const std::size_t digits = last == std::string_view::npos ? 0 : last + 1;
  return {name.substr(0, digits), name.substr(digits)};
}

ValueCheck refused(std::string reason) {
  return {std::nullopt, std::move(reason)};
}
ValueCheck accepted(std::string value) {
  return {std::move(value), {}};
}

ValueCheck check_number(const Option& option, std::string_view text, bool command_line) {
  const auto number = parse_number(text, command_line);
  if (!number) return refused(formatted("'{}' is not a number", text));
  if (!command_line) return accepted(std::string(text));
  if (*number < static_cast<double>(option.min) || *number > static_cast<double>(option.max)) {
    return refused(formatted("{} is not in the range {} to {}", text, option.min, option.max));
  }
  if (parse_number(text)) return accepted(std::string(text));
  // A sign or exponent, which the file's grammar has not.
  std::string plain = formatted("{:.9f}", *number);
  plain.erase(plain.find_last_not_of('0') + 1);
  if (plain.ends_with('.')) plain.pop_back();
  return accepted(plain);
}

// Digits of any length without their leading zeros; values beyond 64 bits keep their digits.
ValueCheck check_file_integer(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return refused(formatted("'{}' is not a whole number", text));
  }
  const auto first = text.find_first_not_of('0');
  return accepted(first == std::string_view::npos ? "0" : std::string(text.substr(first)));
}

ValueCheck check_command_line_integer(const Option& option, std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto digits = check_file_integer(text);
  if (!digits.ok()) return digits;
  const auto number = parse_unsigned(text);
  const bool below = (negative && number != 0U) || (number && *number < option.min);
  if (below) return refused(formatted("the value must not be below {}", option.min));
  if (!number || *number > option.max)
    return refused(formatted("the value must not be above {}", option.max));
  return accepted(std::to_string(*number));
}

ValueCheck check_string(const Option& option, std::string_view text, bool command_line) {
  if (command_line && option.max_length != 0 && text.size() > option.max_length) {
    return refused(formatted("longer than {} characters", option.max_length));
  }
  try {
    if (option.check_format != nullptr) option.check_format(text);
    if (command_line && option.normalise != nullptr) return accepted(option.normalise(text));
  } catch (const Error& error) {
    return refused(error.action());
  }
  return accepted(std::string(text));
}

ValueCheck check_word(const Option& option, std::string_view text) {
  if (std::find(option.words.begin(), option.words.end(), text) != option.words.end()) {
    return accepted(std::string(text));
  }
  std::vector<std::string> words(option.words.begin(), option.words.end());
  return refused(formatted("'{}' is none of {}", text, join(words, ", ")));
}

ValueCheck check_boolean(std::string_view text) {
  const auto flag = parse_boolean(text);
  if (!flag) return refused(formatted("'{}' is not a boolean (1, on, yes, true or 0, off, no, false)", text));
  return accepted(*flag ? "1" : "0");
}

ValueCheck check_value(const Option& option, std::string_view text, bool command_line) {
  if (option.name != "description" && text.find_first_of("\r\n") != std::string_view::npos) {
    return refused("the value contains a line break");
  }
  switch (option.type) {
    case Type::boolean: return check_boolean(text);
    case Type::integer: {
      if (!command_line) return check_file_integer(text);
      auto result = check_command_line_integer(option, text);
      if (result.ok() && option.normalise != nullptr) result.value = option.normalise(*result.value);
      return result;
    }
    case Type::number: return check_number(option, text, command_line);
    case Type::enumeration: return command_line ? check_word(option, text) : accepted(std::string(text));
    case Type::string: return check_string(option, text, command_line);
  }
  return refused("unknown type");
}

// The stored form of a net[n] value: MAC and type filled in.
ValueCheck complete_net(std::string_view text, std::string_view mac_prefix) {
  auto net = parse_net(text);
  if (net.ip6 == "auto" && net.host_managed.value_or(false) && !net.link_down.value_or(false)) {
    return refused("ip6=auto cannot be combined with host-managed");
  }
  if (net.hwaddr.empty()) net.hwaddr = random_mac(mac_prefix);
  net.type = "veth";
  return accepted(print_net(net));
}

}  // namespace

std::span<const Option> options() {
  return kOptions;
}

const Option* find_option(std::string_view name) {
  const auto [stem, digits] = split_index(name);
  if (digits.empty()) {
    const Option* option = find_name(name);
    return option != nullptr && !option->max_index ? option : nullptr;
  }
  if (digits.size() > 1 && digits.front() == '0') return nullptr;
  const Option* option = find_name(stem);
  if (option == nullptr || !option->max_index) return nullptr;
  const auto index = parse_unsigned(digits);
  return index && *index <= *option->max_index ? option : nullptr;
}

std::optional<std::uint32_t> option_index(std::string_view name) {
  const auto digits = split_index(name).second;
  if (digits.empty() || find_option(name) == nullptr) return std::nullopt;
  return static_cast<std::uint32_t>(*parse_unsigned(digits));
}

ValueCheck check_file_value(std::string_view name, std::string_view text) {
  const Option* option = find_option(name);
  return option == nullptr ? refused("unknown option") : check_value(*option, text, false);
}

ValueCheck check_command_line_value(std::string_view name, std::string_view text,
                                    std::string_view mac_prefix) {
  const Option* option = find_option(name);
  if (option == nullptr) return refused("unknown option");
  auto result = check_value(*option, text, true);
  // The file's grammar has no empty values; an empty description or environment is stored as none at all.
  const bool may_be_empty = option->name == "description" || option->name == "env";
  if (result.ok() && !may_be_empty && trim(*result.value).empty()) return refused("the value is empty");
  return result.ok() && option->name == "net" ? complete_net(text, mac_prefix) : result;
}

}  // namespace hutch::config
