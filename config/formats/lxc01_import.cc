#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/import.h"
#include "config/formats/lxc_base.h"
#include "config/lowering.h"
#include "config/lxc_file.h"

// LXC 0.1 of 2008 (lxc-keys 6.1), by way of the lines that mean the same today.
namespace hutch::config {

namespace {

class Conversion {
 public:
  explicit Conversion(LxcDraft& draft) : draft_(draft) {}

  void add(const RawEntry& entry) {
    // A name was matched as the beginning of the key, in this order.
    constexpr struct {
      std::string_view name;
      void (Conversion::*convert)(const RawEntry& entry);
    } kKeys[] = {
        {"lxc.mount", &Conversion::mount},
        {"lxc.chroot", &Conversion::root},
        {"lxc.utsname", &Conversion::host_name},
        {"lxc.network.type", &Conversion::interface_type},
        {"lxc.network.flags", &Conversion::flags},
        {"lxc.network.link", &Conversion::link},
        {"lxc.network.hwaddr", &Conversion::hardware_address},
        {"lxc.network.name", &Conversion::interface_name},
        {"lxc.network.ipv4", &Conversion::ipv4},
        {"lxc.network.ipv6", &Conversion::ipv6},
    };
    for (const auto& row : kKeys) {
      if (entry.key.starts_with(row.name)) return (this->*row.convert)(entry);
    }
    throw Error(formatted("unknown key '{}'", entry.key), 0,
                "LXC 0.1 has ten keys; correct or remove the line", entry.origin);
  }

  void finish() {
    if (interfaces_ == 0) {
      put("lxc.net.0.type", "none", default_origin());
      draft_.remark({},
                    "no interface is configured: as with LXC 0.1, the container shares the host's network");
    }
    for (const auto& table : fstabs_) read_fstab(table);
  }

 private:
  void put(std::string key, std::string value, const Origin& origin) {
    draft_.entries.push_back({std::move(key), std::move(value), origin});
  }
  void put_setting(std::string_view name, std::string value, const RawEntry& entry) {
    if (interfaces_ == 0) {
      throw Error(formatted("'{}' before any 'lxc.network.type'", entry.key), 0,
                  "begin each interface with its lxc.network.type", entry.origin);
    }
    put(formatted("lxc.net.{}.{}", interfaces_ - 1, name), std::move(value), entry.origin);
  }

  void mount(const RawEntry& entry) { fstabs_.push_back(entry); }
  void root(const RawEntry& entry) {
    root_ = entry.value;
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    put("lxc.rootfs.path", root_, entry.origin);
  }
  void host_name(const RawEntry& entry) { put("lxc.uts.name", entry.value, entry.origin); }
  void interface_type(const RawEntry& entry) {
    if (entry.value != "veth" && entry.value != "macvlan" && entry.value != "phys") {
      bad_value(entry, "veth, macvlan or phys");
    }
    ++interfaces_;
    put_setting("type", entry.value, entry);
  }
  // Any value meant "up".
  void flags(const RawEntry& entry) { put_setting("flags", "up", entry); }
  void link(const RawEntry& entry) { put_setting("link", entry.value, entry); }
  void hardware_address(const RawEntry& entry) { put_setting("hwaddr", entry.value, entry); }
  void interface_name(const RawEntry& entry) { put_setting("name", entry.value, entry); }

  void ipv4(const RawEntry& entry) {
    const auto words = split_blanks(entry.value);
    if (words.empty() || words.size() > 2)
      bad_value(entry, "an address, or an address and its broadcast address");
    std::string address(words[0]);
    if (address.find('/') == std::string::npos) address += "/24";
    if (words.size() == 2) address.append(" ").append(words[1]);
    put_setting("ipv4.address", std::move(address), entry);
  }
  // 0.1 took 24 bits when there was no length, which no IPv6 network has.
  void ipv6(const RawEntry& entry) {
    put_setting("ipv6.address",
                entry.value.find('/') == std::string::npos ? entry.value + "/64" : entry.value, entry);
  }

  // The mounts were made before chroot(2), at the literal paths and without options: only those below the
  // root are seen inside.
  void read_fstab(const RawEntry& table) {
    std::string text;
    try {
      if (!draft_.sources.read_file) throw Error(formatted("cannot open '{}'", table.value), ENOENT);
      text = draft_.sources.read_file(table.value);
    } catch (const Error& error) {
      throw error.with_context(table.key).with_origin(table.origin);
    }
    Origin origin{table.value, 0};
    for (const auto whole : split(text, '\n')) {
      ++origin.line;
      const auto line = trim(whole);
      if (!line.empty() && line.front() != '#') add_mount(line, origin);
    }
  }

  void add_mount(std::string_view line, const Origin& origin) {
    const auto fields = split_blanks(line);
    if (fields.size() < 3) {
      throw Error(formatted("'{}' is no line of fstab(5)", line), 0, "write: source target type options",
                  origin);
    }
    const std::string below = root_ == "/" ? root_ : root_ + "/";
    if (root_.empty() || !fields[1].starts_with(below) || fields[1].size() == below.size()) {
      return draft_.not_carried(
          origin, formatted("'{}': the target is a path of the host outside the container's root", line));
    }
    if (fields.size() > 3 && fields[3] != "defaults") {
      draft_.remark(origin,
                    formatted("'{}': LXC 0.1 took no heed of the options, and so they are left out", line));
    }
    put("lxc.mount.entry",
        formatted("{} {} {} defaults 0 0", fields[0], fields[1].substr(below.size()), fields[2]), origin);
  }

  LxcDraft& draft_;
  unsigned interfaces_ = 0;
  std::string root_;
  std::vector<RawEntry> fstabs_;
};

}  // namespace

Imported import_lxc01(std::string_view text, const std::string& source, std::uint32_t vmid,
                      const ImportSources& sources) {
  Imported imported;
  imported.config.vmid = vmid;
  imported.config.path = source;
  const auto file = read_lxc_file(text, source);
  for (const auto& comment : file.comments) imported.config.main.description += comment.value + "\n";
  LxcDraft draft{imported.config.main, {}, sources, imported.diagnostics};
  for (const auto& line : file.foreign) {
    throw Error(formatted("'{}' is no setting of LXC 0.1", line.value), 0, "correct or remove the line",
                line.origin);
  }
  Conversion conversion(draft);
  for (const auto& entry : file.entries) conversion.add(entry);
  conversion.finish();
  add_lxc_defaults(draft);
  finish_import(draft);
  return imported;
}

}  // namespace hutch::config
