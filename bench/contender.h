#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/arena.h"
#include "bench/timed_process.h"
#include "bench/variant.h"

namespace hutch::bench {

// One tool with one container: the commands that are timed.
struct Contender {
  std::string tool;        // as the results name it: "pct"
  std::string title;       // as the table names the start: "pct start"
  std::string exec_title;  // "pct exec"
  std::string stop_title;  // "pct stop"
  std::string leaves_out;  // of the floor's work in this variant; empty: nothing
  std::string remark;      // what is measured otherwise, or done on top
  Command start;           // exec to exit, container running
  // Kills the container and removes what the start made. Empty: Runner::end_foreground does.
  Command stop;
  std::vector<std::string> stale;  // files and directories of the tool's that a stop leaves on the host
  Command exec;                    // runs `true` inside; empty: the tool has no such thing
  bool stop_counts = false;        // `stop` is comparable with `pct stop`
  std::string cannot;              // not empty: the tool has no such variant, and why
};

// A tool that is installed here, or the reason why it is left out.
struct Tool {
  std::string name;
  std::string program;  // absolute; empty: not installed
  Contender (*make)(const Arena& arena, const std::string& program, const Variant& variant, unsigned index);
  bool required = false;  // a failure is ours, not a peer's
};

// Each makes the container's place, and writes its tool's configuration below arena.scratch.
Contender floor_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender pct_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender lxc_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender crun_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender runc_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender nspawn_contender(const Arena&, const std::string& program, const Variant&, unsigned index);
Contender bwrap_contender(const Arena&, const std::string& program, const Variant&, unsigned index);

// The floor and pct, then the peers on PATH. `floor` and `pct` are absolute.
std::vector<Tool> tool_table(const std::string& floor, const std::string& pct);

// LXC 5 leaves a group `lxc.pivot` in every hierarchy, and after a start that failed its monitor's groups:
// what is there before, and removing what is new.
std::vector<std::string> lxc_cgroups();
void remove_new_lxc_cgroups(const std::vector<std::string>& before);

// Shared by the contenders.
bool host_is_unified();
// Writes a file below the scratch directory, making its directories.
void write_configuration(const std::string& path, const std::string& text);
// "hutch-bench-<vmid>": what the peers call the container.
std::string container_name(const Place& place);
// The words that are not empty, with commas between.
std::string list_of(const std::vector<std::string>& words);

// The config of pct's benchmark container without its rootfs, and where it goes.
std::string pct_config_body(const Arena& arena, const Variant& variant);
std::string pct_config_path(const Arena& arena, unsigned vmid);
Command pct_command(const Arena& arena, const std::string& program, std::vector<std::string> words);

}  // namespace hutch::bench
