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
    draft_.not_carried(entry, formatted("unknown key '{}': LXC 0.1 has ten keys", entry.key));
  }

  void finish() {
    // An interface that cannot be used is no wish to share the host's network.
    if (!asks_for_interface_) {
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
    if (!in_interface_) {
      return draft_.not_carried(
          entry, asks_for_interface_
                     ? formatted("'{}' belongs to an interface that is not carried over", entry.key)
                     : formatted("'{}' stands before any 'lxc.network.type'", entry.key));
    }
    put(formatted("lxc.net.{}.{}", interfaces_ - 1, name), std::move(value), entry.origin);
  }

  void not_carried(const RawEntry& entry, std::string_view expects) {
    draft_.not_carried(entry, formatted("'{}': '{}' is not {}", entry.key, entry.value, expects));
  }

  void mount(const RawEntry& entry) { fstabs_.push_back(entry); }
  void root(const RawEntry& entry) {
    root_ = entry.value;
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    put("lxc.rootfs.path", root_, entry.origin);
  }
  void host_name(const RawEntry& entry) { put("lxc.uts.name", entry.value, entry.origin); }
  void interface_type(const RawEntry& entry) {
    asks_for_interface_ = true;
    in_interface_ = entry.value == "veth" || entry.value == "macvlan" || entry.value == "phys";
    if (!in_interface_) return not_carried(entry, "veth, macvlan or phys");
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
      return not_carried(entry, "an address, or an address and its broadcast address");
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
      return draft_.not_carried(table, formatted("'{}': {}", table.key, reason_of(error)));
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
      return draft_.not_carried(origin,
                                formatted("'{}' is no line of fstab(5): source target type options", line));
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
  bool asks_for_interface_ = false;
  bool in_interface_ = false;  // the last line of a type began one
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
  const auto file = read_lxc_file(text, source, MalformedLines::keep);
  keep_text(file, imported);
  LxcDraft draft{imported.config.main, {}, sources, imported};
  Conversion conversion(draft);
  for (const auto& entry : file.entries) conversion.add(entry);
  conversion.finish();
  add_lxc_defaults(draft);
  finish_import(draft);
  return imported;
}

}  // namespace hutch::config
