#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/foreign_lines.h"
#include "config/formats/import.h"
#include "config/lxc_file.h"
#include "config/options.h"

// Which format a text is in.
namespace hutch::config {

namespace {

// As editors of other systems begin a file.
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// No container file is near this.
constexpr std::size_t kMaxSize = 1U << 20;

struct FormatRow {
  Format format;
  std::string_view name;
};
constexpr FormatRow kFormats[] = {{Format::pve, "pve"},
                                  {Format::lxc, "lxc"},
                                  {Format::lxc01, "lxc-0.1"},
                                  {Format::early_pve, "early-pve"},
                                  {Format::libvirt, "libvirt"}};

constexpr std::string_view kUse = "give a CT config, an LXC config or libvirt's container XML";

// Key of an `lxc.key = value` line; "" for others.
std::string_view lxc_key(std::string_view line) {
  if (!line.starts_with("lxc.") && !line.starts_with("pve.") && !line.starts_with("snap.")) return {};
  const auto pair = split_lxc_line(line);
  return pair ? pair->key : std::string_view();
}

bool is_option_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// "memory: 512", "lxc.cap.drop: x", "[pve:pending]" in column 1. Other words before a colon, and other
// headers, are found in files of all kinds.
bool is_pve_line(std::string_view line) {
  if (line.starts_with('[')) return to_lower(trim(line)) == "[pve:pending]";
  const auto name_end = std::find_if_not(
      line.begin(), line.end(), [](char c) { return is_option_character(c) || c == '.' || c == '-'; });
  if (name_end == line.begin() || name_end == line.end() || *name_end != ':') return false;
  const std::string_view name(line.data(), static_cast<std::size_t>(name_end - line.begin()));
  return name.starts_with("lxc.") || find_option(name) != nullptr;
}

// LXC 0.1 knew these, and a container root named lxc.chroot; later versions call that lxc.rootfs.
bool is_lxc01_key(std::string_view key) {
  constexpr std::string_view kKeys[] = {
      "lxc.chroot",       "lxc.mount",        "lxc.network.flags", "lxc.network.hwaddr", "lxc.network.ipv4",
      "lxc.network.ipv6", "lxc.network.link", "lxc.network.name",  "lxc.network.type",   "lxc.utsname"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

struct Counts {
  int lxc = 0;    // lxc.key = value
  int lxc01 = 0;  // of those, keys of LXC 0.1
  int pve = 0;    // key: value, [section]
  bool chroot = false;
  bool early_pve = false;
};

Counts count_lines(std::string_view text) {
  Counts counts;
  for (const auto& line : lxc_lines(text)) {
    if (line.text.front() == '#') continue;
    if (is_pve_line(line.text)) {
      ++counts.pve;
      continue;
    }
    const auto key = lxc_key(line.text);
    if (key.empty()) continue;
    ++counts.lxc;
    counts.lxc01 += is_lxc01_key(key) ? 1 : 0;
    counts.chroot = counts.chroot || key == "lxc.chroot";
    counts.early_pve = counts.early_pve || !key.starts_with("lxc.");
  }
  return counts;
}

}  // namespace

std::string_view format_name(Format format) {
  const auto* row = std::find_if(std::begin(kFormats), std::end(kFormats),
                                 [format](const auto& known) { return known.format == format; });
  return row->name;
}

std::optional<Format> find_format(std::string_view name) {
  for (const auto& row : kFormats) {
    if (row.name == name) return row.format;
  }
  return std::nullopt;
}

Format detect_format(std::string_view text, const std::string& source) {
  const Origin origin{source, 0};
  const auto fail = [&](std::string_view what) {
    throw Error(formatted("'{}' {}", source, what), 0, std::string(kUse), origin);
  };
  if (text.size() > kMaxSize) fail("is larger than any container file (1 MiB)");
  if (trim(text).empty()) fail("is empty");
  if (text.find('\0') != std::string_view::npos) fail("is a binary file");
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (trim(text).front() == '<') return Format::libvirt;
  const auto counts = count_lines(text);
  if (counts.early_pve) return Format::early_pve;
  // A CT config may have lines of both forms, an LXC file only its own, and notes of any kind.
  if (counts.pve > 0) return Format::pve;
  if (counts.lxc == 0) fail("is no container file: there is no line of any format that is known here");
  return counts.chroot || counts.lxc01 == counts.lxc ? Format::lxc01 : Format::lxc;
}

void check_format(Format format, std::string_view text, const std::string& source) {
  const auto detected = detect_format(text, source);
  const auto fail = [&](std::string_view what) {
    throw Error(formatted("'{}' {}; it looks like '{}'", source, what, format_name(detected)), 0,
                formatted("leave --format out, or give --format {}", format_name(detected)), {source, 0});
  };
  if (format == Format::libvirt && detected != Format::libvirt) fail("is no XML");
  if (format != Format::libvirt && detected == Format::libvirt) fail("is XML");
  const bool needs_lxc_lines = format != Format::libvirt && format != Format::pve;
  if (needs_lxc_lines && count_lines(text).lxc == 0)
    fail(formatted("has no line of the format '{}'", format_name(format)));
}

namespace {

Imported read_format(Format format, std::string_view text, const std::string& source, std::uint32_t vmid,
                     const ImportSources& sources) {
  switch (format) {
    case Format::pve: return import_pve(text, source, vmid);
    case Format::lxc: return import_lxc(text, source, vmid, sources);
    case Format::lxc01: return import_lxc01(text, source, vmid, sources);
    case Format::early_pve: return import_early_pve(text, source, vmid);
    case Format::libvirt: return import_libvirt(text, source, vmid, sources);
  }
  throw Error("no such format", EINVAL);
}

}  // namespace

Imported import_config(Format format, std::string_view text, const std::string& source, std::uint32_t vmid,
                       const ImportSources& sources) {
  if (text.size() > kMaxSize) {
    throw Error(formatted("'{}' is larger than any container file (1 MiB)", source), EFBIG, std::string(kUse),
                {source, 0});
  }
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  auto imported = read_format(format, text, source, vmid, sources);
  // A CT config is carried over line by line, as it is.
  if (format != Format::pve) drop_bad_lines(imported);
  point_out_programs(imported);
  sort_diagnostics(imported);
  return imported;
}

Imported import_pve(std::string_view text, const std::string& source, std::uint32_t vmid) {
  Imported imported;
  imported.config = read_config(text, source, vmid, imported.diagnostics);
  imported.config.digest.clear();
  // Every line is in the result: what is not understood, too, and it has no more effect than where it came
  // from.
  for (auto& diagnostic : imported.diagnostics) diagnostic.severity = Diagnostic::Severity::warning;
  return imported;
}

}  // namespace hutch::config
