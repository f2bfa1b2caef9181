#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/layout.h"
#include "cgroupv2/statistics.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "config/property_formats.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "runtime/state.h"

namespace hutch::cli {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kDefaultDisk = 4ULL << 30;  // pct-cli.md: status --verbose, size unknown

// The lines of the table, sorted by name.
using Fields = std::map<std::string, std::string>;

std::string number_text(double number) {
  return formatted("{:.10g}", number);
}

// Values that a hand-written config gets wrong are shown as if unset: status is not the place to refuse them.
template <typename Getter>
auto or_unset(Getter getter) -> decltype(getter()) {
  try {
    return getter();
  } catch (const Error&) {
    return {};
  }
}

std::string cpu_count(const config::Section& main) {
  if (const auto cores = or_unset([&] { return main.unsigned_number("cores"); }))
    return std::to_string(*cores);
  if (const auto limit = or_unset([&] { return main.number("cpulimit"); }); limit && *limit > 0) {
    return number_text(*limit);
  }
  return std::to_string(::sysconf(_SC_NPROCESSORS_ONLN));
}

std::uint64_t configured_disk(const config::Section& main) {
  const auto text = main.get("rootfs");
  if (!text) return kDefaultDisk;
  return or_unset([&] { return config::parse_rootfs(*text).size; }).value_or(kDefaultDisk);
}

void add_config_fields(const config::ContainerConfig& config, Fields& fields) {
  const auto& main = config.main;
  fields["cpus"] = cpu_count(main);
  fields["maxmem"] =
      std::to_string(or_unset([&] { return main.unsigned_number("memory"); }).value_or(512) * kMiB);
  fields["maxswap"] =
      std::to_string(or_unset([&] { return main.unsigned_number("swap"); }).value_or(0) * kMiB);
  fields["maxdisk"] = std::to_string(configured_disk(main));
  fields["name"] = container_name(config);
  fields["type"] = "lxc";
  fields["vmid"] = std::to_string(config.vmid);
  for (const char* key : {"lock", "tags"}) {
    if (const auto value = main.get(key)) fields[key] = *value;
  }
  if (or_unset([&] { return main.boolean("template"); }).value_or(false)) fields["template"] = "1";
  for (const char* key : {"disk", "diskread", "diskwrite", "mem", "swap", "netin", "netout", "uptime"}) {
    fields[key] = "0";
  }
}

void add_disk(pid_t pid, Fields& fields) {
  struct statvfs status {};
  const std::string root = formatted("/proc/{}/root/", pid);
  if (::statvfs(root.c_str(), &status) < 0) throw_errno(formatted("cannot get the disk usage of '{}'", root));
  fields["maxdisk"] = std::to_string(status.f_blocks * status.f_frsize);
  fields["disk"] = std::to_string((status.f_blocks - status.f_bfree) * status.f_frsize);
}

void add_network(const std::vector<std::string>& links, Fields& fields) {
  if (links.empty()) return;
  netlink::Socket socket;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  for (const auto& name : links) {
    const auto link = netlink::find_link(socket, name, netlink::Counters::read);
    if (!link || !link->counters) continue;  // removed inside the container
    in += link->counters->tx_bytes;          // what the host end sends, the container receives
    out += link->counters->rx_bytes;
  }
  fields["netin"] = std::to_string(in);
  fields["netout"] = std::to_string(out);
}

void add_pressure(const std::string& name, const std::optional<cgroupv2::Pressure>& pressure,
                  Fields& fields) {
  if (!pressure) return;
  fields[formatted("pressure{}some", name)] = formatted("{:.2f}", pressure->some);
  fields[formatted("pressure{}full", name)] = formatted("{:.2f}", pressure->full);
}

void add_cgroup(const std::string& group, Fields& fields) {
  const auto statistics = cgroupv2::read_statistics(cgroupv2::detect_layout(), group);
  const auto add = [&](const char* key, const std::optional<std::uint64_t>& value) {
    if (value) fields[key] = std::to_string(*value);
  };
  add("mem", statistics.memory_bytes);
  add("swap", statistics.swap_bytes);
  add("diskread", statistics.io_read_bytes);
  add("diskwrite", statistics.io_written_bytes);
  add_pressure("cpu", statistics.cpu, fields);
  add_pressure("io", statistics.io, fields);
  add_pressure("memory", statistics.memory, fields);
}

// proc(5): /proc/uptime and the start time of /proc/<pid>/stat count from boot.
std::uint64_t uptime(const ProcessIdentity& init) {
  const std::string text = read_file(AT_FDCWD, "/proc/uptime");
  const double since_boot = std::strtod(text.c_str(), nullptr);
  const double started = static_cast<double>(init.start_time) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<std::uint64_t>(std::max(0.0, since_boot - started));
}

void add_running_fields(const ContainerState& state, Fields& fields) {
  fields["pid"] = std::to_string(state.init.pid);
  fields["uptime"] = std::to_string(uptime(state.init));
  add_disk(state.init.pid, fields);
  add_network(state.host_links, fields);
  add_cgroup(state.cgroup, fields);
}

// Nothing when the container ends meanwhile.
std::optional<Fields> running_fields(const ContainerState& state, Fields fields) {
  try {
    add_running_fields(state, fields);
  } catch (const Error&) {
    if (!is_ending(state.init)) throw;
    return std::nullopt;
  }
  return fields;
}

}  // namespace

int command_status(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const std::uint32_t vmid = context.vmid();
  const auto config = load_config(context, store, vmid, false);
  const auto state = find_running(context.sysroot(), vmid);
  bool running = state.has_value();
  Fields fields;
  if (context.options().flag("verbose")) {
    add_config_fields(config, fields);
    auto all = running ? running_fields(*state, fields) : std::nullopt;
    running = all.has_value();
    if (all) fields = std::move(*all);
  }
  fields["status"] = running ? "running" : "stopped";
  for (const auto& [key, value] : fields) context.print(formatted("{}: {}\n", key, value));
  return 0;
}

}  // namespace hutch::cli
