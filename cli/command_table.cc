#include "cli/command_table.h"

#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config_option_rows.h"

namespace hutch::cli {

namespace {

using Rows = std::vector<OptionRow>;

Rows no_options() {
  return {};
}

OptionRow boolean(const char* name, const char* help) {
  return {.name = name, .type = ValueType::boolean, .help = help};
}

OptionRow seconds(const char* name, const char* help) {
  return {.name = name, .type = ValueType::integer, .help = help, .minimum = 0, .maximum = 1e9};
}

Rows status_options() {
  return {boolean("verbose", "Show limits, usage and counters too.")};
}

Rows config_options() {
  return {boolean("current", "Show the active values, not the pending ones."),
          {.name = "snapshot",
           .type = ValueType::config_id,
           .help = "Show the config of this snapshot.",
           .maximum_length = 40}};
}

Rows help_options() {
  return {boolean("verbose", "Describe the options too (the default); 0: usage only.")};
}

Rows create_options() {
  Rows rows = config_option_rows();
  const Rows own = {
      {.name = "storage",
       .type = ValueType::storage_id,
       .help = "Storage of volumes given without one (local)."},
      {.name = "password",
       .help = "Root's password inside; asked for when no value follows. Never given: locked.",
       .optional_value = true},
      {.name = "ssh-public-keys",
       .help = "File with root's SSH public keys, one per line.",
       .minimum_length = 1},
      boolean("force", "Overwrite an existing container (only with restore)."),
      boolean("restore", "The archive is a backup."),
      boolean("unique", "With restore: new MAC addresses."),
      boolean("ignore-unpack-errors", "Errors while extracting the template only warn."),
      {.name = "bwlimit",
       .type = ValueType::number,
       .help = "Limit of the extraction in KiB/s; 0: none.",
       .minimum = 0},
      boolean("start", "Start the container after it was created."),
      {.name = "pool", .help = "Cluster only."},
      boolean("ha-managed", "Cluster only."),
  };
  rows.insert(rows.end(), own.begin(), own.end());
  return rows;
}

Rows destroy_options() {
  return {
      boolean("force", "Stop the container first if it runs."),
      boolean("purge", "Remove it from related configurations too."),
      boolean("destroy-unreferenced-disks", "Also free volumes of this vmid that the config does not name.")};
}

Rows import_options() {
  return {
      {.name = "format",
       .help = "What the file is: pve, lxc, lxc-0.1, early-pve or libvirt; by its content if not given.",
       .value_text = "<format>"},
      {.name = "rootfs", .help = "Root file system, in place of what the file says.", .minimum_length = 1},
      boolean("dry-run", "Print the config instead of writing it.")};
}

Rows export_options() {
  return {{.name = "format", .help = "lxc or libvirt.", .value_text = "<format>"},
          {.name = "output", .help = "Write to this file instead of standard output.", .minimum_length = 1}};
}

Rows plan_options() {
  return {{.name = "format",
           .help = "With a file: what it is, as for import; by its content if not given.",
           .value_text = "<format>"},
          {.name = "output-format", .help = "text (the default) or json.", .value_text = "<json | text>"},
          {.name = "vmid",
           .type = ValueType::integer,
           .help = "With a file: the container's id; the number in its name, else 100.",
           .minimum = 100,
           .maximum = 999999999}};
}

Rows set_options() {
  Rows rows = config_option_rows();
  const Rows own = {
      {.name = "delete", .help = "Options to remove, separated by commas.", .collects = true},
      {.name = "revert", .help = "Options whose pending change is dropped.", .collects = true},
      {.name = "digest", .help = "Refuse if the config file's SHA1 is another one.", .maximum_length = 40},
  };
  rows.insert(rows.end(), own.begin(), own.end());
  return rows;
}

Rows start_options() {
  return {
      boolean("skiplock", "Ignore the config lock."),
      boolean("debug", "Log every step of the start."),
      {.name = "trace", .help = "Write the begin and end of every step to this file (Chrome trace format)."},
      boolean("timing", "Show the begin and end of every step as a waterfall.")};
}

Rows stop_options() {
  return {boolean("skiplock", "Ignore the config lock."),
          boolean("overrule-shutdown", "Abort running shutdowns of this container first.")};
}

Rows shutdown_options() {
  return {seconds("timeout", "Seconds to wait (60)."), boolean("forceStop", "Kill it after the timeout.")};
}

Rows reboot_options() {
  return {seconds("timeout", "Seconds to wait before it is killed (60).")};
}

Rows attach_options() {
  return {boolean("keep-env", "Keep the environment of the caller (1).")};
}

constexpr auto kNone = CommandRow::Tail::none;
constexpr auto kWords = CommandRow::Tail::words;

std::string argument_words(const CommandRow& row) {
  std::string text;
  for (std::size_t i = 0; i < row.positional.size(); ++i) {
    const std::string word = formatted("<{}>", row.positional[i]);
    text += i < row.optional_from ? " " + word : " [" + word + "]";
  }
  if (row.tail == kWords) text += row.function == command_help ? " [<command>]" : " [<extra-args>]";
  return text;
}

std::string_view value_word(const OptionRow& row) {
  if (!row.value_text.empty()) return row.value_text;
  if (row.is_boolean()) return "<boolean>";
  switch (row.type) {
    case ValueType::integer: return "<integer>";
    case ValueType::number: return "<number>";
    case ValueType::storage_id: return "<storage>";
    case ValueType::config_id: return "<name>";
    default: return row.optional_value ? "[<string>]" : "<string>";
  }
}

}  // namespace

const std::vector<CommandRow>& command_table() {
  static const std::vector<CommandRow> table = {
      {"config", {"vmid"}, 1, kNone, config_options, command_config, "Show the container's configuration."},
      {"console-log",
       {"vmid"},
       1,
       kNone,
       no_options,
       command_console_log,
       "Show the last output of the console (lxc.console.buffer.size)."},
      {"create",
       {"vmid", "ostemplate"},
       2,
       kNone,
       create_options,
       command_create,
       "Create a container from a template."},
      {"destroy",
       {"vmid"},
       1,
       kNone,
       destroy_options,
       command_destroy,
       "Remove a container, its configuration and its volumes."},
      {"enter", {"vmid"}, 1, kNone, attach_options, command_enter, "Run root's shell inside a container."},
      {"exec", {"vmid"}, 1, kWords, attach_options, command_exec, "Run a command inside a container."},
      {"export",
       {"vmid"},
       1,
       kNone,
       export_options,
       command_export,
       "Write a container's configuration as another program's."},
      {"help", {}, 0, kWords, help_options, command_help, "Show what the commands do."},
      {"import",
       {"vmid", "file"},
       2,
       kNone,
       import_options,
       command_import,
       "Make a container's configuration from another program's file; tell each line that has no place in "
       "it."},
      {"list", {}, 0, kNone, no_options, command_list, "List the containers of this host."},
      {"pending",
       {"vmid"},
       1,
       kNone,
       no_options,
       command_pending,
       "Show the changes that wait for a restart."},
      {"plan",
       {"vmid|file"},
       1,
       kNone,
       plan_options,
       command_plan,
       "Show every step that a start would take."},
      {"reboot",
       {"vmid"},
       1,
       kNone,
       reboot_options,
       command_reboot,
       "Shut a container down and start it again."},
      {"set", {"vmid"}, 1, kNone, set_options, command_set, "Change options of a container."},
      {"shutdown", {"vmid"}, 1, kNone, shutdown_options, command_shutdown, "Shut a container down cleanly."},
      {"start", {"vmid"}, 1, kNone, start_options, command_start, "Start a container."},
      {"status", {"vmid"}, 1, kNone, status_options, command_status, "Show whether a container runs."},
      {"stop", {"vmid"}, 1, kNone, stop_options, command_stop, "Kill a container at once."},
      {"unlock",
       {"vmid"},
       1,
       kNone,
       no_options,
       command_unlock,
       "Remove the lock from a container's configuration."},
  };
  return table;
}

const CommandRow* find_command(std::string_view word) {
  const CommandRow* found = nullptr;
  bool several = false;
  for (const auto& row : command_table()) {
    const std::string_view name = row.name;
    if (name == word) return &row;
    if (!word.empty() && name.starts_with(word)) {
      several = found != nullptr;
      found = &row;
    }
  }
  return several ? nullptr : found;
}

std::string usage_line(const CommandRow& row) {
  const bool has_options = row.options != no_options;
  return formatted("pct {}{}{}", row.name, argument_words(row), has_options ? " [OPTIONS]" : "");
}

std::string usage_overview() {
  std::string text = "USAGE: pct <COMMAND> [ARGS] [OPTIONS]\n\n";
  for (const auto& row : command_table()) text += formatted("       {}\n", usage_line(row));
  return text;
}

std::string full_help(const CommandRow& row) {
  std::string text = formatted("USAGE: {}\n\n  {}\n", usage_line(row), row.summary);
  std::string_view group;
  for (const auto& option : row.options()) {
    const bool described = !option.group.empty() && option.group == group;
    group = option.group;
    if (described) continue;
    const std::string name = group.empty() ? option.name : std::string(group) + "[n]";
    text += formatted("\n  --{} {}\n        {}\n", name, value_word(option), option.help);
  }
  return text;
}

}  // namespace hutch::cli
