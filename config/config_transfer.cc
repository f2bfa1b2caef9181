#include "config/config_transfer.h"

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::config {

namespace {

// No snapshot has this name.
constexpr std::string_view kPending = "pve:pending";

// A record is a line of fields: what it is, two texts, and the origin's source and line.
struct Record {
  std::string kind;
  std::string key;
  std::string value;
  Origin origin;
};

void append_field(std::string& text, std::string_view field, char end) {
  for (const char c : field) {
    switch (c) {
      case '\\': text += "\\\\"; break;
      case '\t': text += "\\t"; break;
      case '\n': text += "\\n"; break;
      default: text += c;
    }
  }
  text += end;
}

void append(std::string& text, const Record& record) {
  append_field(text, record.kind, '\t');
  append_field(text, record.key, '\t');
  append_field(text, record.value, '\t');
  append_field(text, record.origin.source, '\t');
  append_field(text, std::to_string(record.origin.line), '\n');
}

void append_section(std::string& text, const std::string& name, const Section& section) {
  append(text, {"section", name, section.snapstate, {}});
  append(text, {"description", "", section.description, {}});
  for (const auto& [key, option] : section.options)
    append(text, {"option", key, option.value, option.origin});
  for (const auto& variable : section.environment) append(text, {"env", "", variable.value, variable.origin});
  for (const auto& entry : section.raw) append(text, {"raw", entry.key, entry.value, entry.origin});
  for (const auto& line : section.unreadable) append(text, {"unreadable", "", line.value, line.origin});
  for (const auto& [option, force] : section.pending_deletes) {
    append(text, {"delete", option, force ? "force" : "", {}});
  }
}

[[noreturn]] void fail() {
  throw Error("cannot read what hutch-import wrote", EPROTO,
              "pct and hutch-import may be of different versions");
}

std::string decoded(std::string_view field) {
  std::string text;
  for (std::size_t at = 0; at < field.size(); ++at) {
    if (field[at] != '\\') {
      text += field[at];
      continue;
    }
    if (++at == field.size()) fail();
    text += field[at] == 't' ? '\t' : field[at] == 'n' ? '\n' : field[at];
  }
  return text;
}

Record parse(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() != 5) fail();
  const auto number = parse_unsigned(fields[4]);
  if (!number || *number > INT32_MAX) fail();
  return {std::string(fields[0]),
          decoded(fields[1]),
          decoded(fields[2]),
          {decoded(fields[3]), static_cast<int>(*number)}};
}

void take(Transferred& result, Section*& section, Record record) {
  if (record.kind == "config") {
    result.config.path = std::move(record.value);
    result.config.vmid = static_cast<std::uint32_t>(parse_unsigned(record.key).value_or(0));
  } else if (record.kind == "section") {
    section = record.key.empty()       ? &result.config.main
              : record.key == kPending ? &result.config.pending
                                       : &result.config.snapshots[record.key];
    section->snapstate = std::move(record.value);
  } else if (record.kind == "description") {
    section->description = std::move(record.value);
  } else if (record.kind == "option") {
    section->options.insert_or_assign(
        std::move(record.key), Located<std::string>{std::move(record.value), std::move(record.origin)});
  } else if (record.kind == "env") {
    section->environment.push_back({std::move(record.value), std::move(record.origin)});
  } else if (record.kind == "raw") {
    section->raw.push_back({std::move(record.key), std::move(record.value), std::move(record.origin)});
  } else if (record.kind == "unreadable") {
    section->unreadable.push_back({std::move(record.value), std::move(record.origin)});
  } else if (record.kind == "delete") {
    section->pending_deletes.insert_or_assign(std::move(record.key), record.value == "force");
  } else if (record.kind == "warning" || record.kind == "error") {
    const auto severity =
        record.kind == "error" ? Diagnostic::Severity::error : Diagnostic::Severity::warning;
    result.diagnostics.push_back({severity, std::move(record.value), std::move(record.origin)});
  } else {
    fail();
  }
}

}  // namespace

std::string write_transfer(const Transferred& transferred) {
  const auto& config = transferred.config;
  std::string text;
  append(text, {"config", std::to_string(config.vmid), config.path, {}});
  append_section(text, "", config.main);
  append_section(text, std::string(kPending), config.pending);
  for (const auto& [name, section] : config.snapshots) append_section(text, name, section);
  for (const auto& diagnostic : transferred.diagnostics) {
    const bool is_error = diagnostic.severity == Diagnostic::Severity::error;
    append(text, {is_error ? "error" : "warning", "", diagnostic.message, diagnostic.origin});
  }
  return text;
}

Transferred read_transfer(std::string_view text) {
  Transferred result;
  Section* section = &result.config.main;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) fail();
    take(result, section, parse(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace hutch::config
