#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/import.h"
#include "config/formats/libvirt_reader.h"
#include "config/formats/lxc_base.h"
#include "config/lowering.h"
#include "config/options.h"

// libvirt's container XML: https://libvirt.org/formatdomain.html, drvlxc.html.
namespace hutch::config {

namespace {

// Elements whose loss changes nothing for the container.
void ignore(LibvirtDraft&, const pugi::xml_node&) {}

void read_name(LibvirtDraft& draft, const pugi::xml_node& node) {
  draft.put("lxc.uts.name", text_of(node), node);
}

void add_description(LibvirtDraft& draft, const pugi::xml_node& node) {
  auto& description = draft.lxc.section.description;
  description += text_of(node);
  description += '\n';
}

void read_type(LibvirtDraft& draft, const pugi::xml_node& node) {
  if (text_of(node) != "exe") draft.bad(node, text_of(node), "exe, the type of a container");
  if (const auto arch = attribute(node, "arch"); !arch.empty()) draft.put("lxc.arch", arch, node);
}

void read_init_environment(LibvirtDraft& draft, const pugi::xml_node& node) {
  draft.put("lxc.environment.runtime", formatted("{}={}", attribute(node, "name"), node.child_value()), node);
}

// Names would have to be looked up inside the container.
void read_init_id(LibvirtDraft& draft, const pugi::xml_node& node, const char* key) {
  std::string text = text_of(node);
  if (text.starts_with('+')) text.erase(0, 1);
  if (text == "root") text = "0";
  // Kept as it is, and so no start takes it: without the line init would run as root.
  draft.put(key, text, node);
}

constexpr ElementRow kOs[] = {
    {"bootmenu", ignore},
    {"init",
     [](LibvirtDraft& draft, const pugi::xml_node& node) {
       if (text_of(node).empty()) return draft.not_carried(node, "it is empty; /sbin/init is started");
       std::string command = quoted_word(text_of(node));
       for (const auto& argument : node.parent().children("initarg")) {
         command += " " + quoted_word(argument.child_value());
       }
       draft.put("lxc.init.cmd", command, node);
     }},
    {"initarg", ignore},  // with init
    {"initdir",
     [](LibvirtDraft& draft, const pugi::xml_node& node) { draft.put("lxc.init.cwd", text_of(node), node); }},
    {"initenv", read_init_environment},
    {"initgroup",
     [](LibvirtDraft& draft, const pugi::xml_node& node) { read_init_id(draft, node, "lxc.init.gid"); }},
    {"inituser",
     [](LibvirtDraft& draft, const pugi::xml_node& node) { read_init_id(draft, node, "lxc.init.uid"); }},
    {"type", read_type},
};

void read_os(LibvirtDraft& draft, const pugi::xml_node& node) {
  read_children(draft, node, kOs, std::size(kOs));
}

void read_id_map(LibvirtDraft& draft, const pugi::xml_node& node) {
  for (const auto& line : node.children()) {
    const std::string_view name = line.name();
    if (name != "uid" && name != "gid") {
      draft.not_carried(line, "an id map has uid and gid");
      continue;
    }
    // What is no number is kept, in one word, and so no start takes it: without a map root is the host's.
    const auto word = [&](const char* which) {
      const auto text = attribute(line, which);
      return parse_unsigned(text) ? text : formatted("'{}'", text);
    };
    draft.put(
        "lxc.idmap",
        formatted("{} {} {} {}", name == "uid" ? "u" : "g", word("start"), word("target"), word("count")),
        line);
  }
}

// libvirt drops these unless the features say otherwise.
constexpr std::string_view kDroppedByDefault[] = {"audit_control", "mac_admin", "mknod", "sys_module",
                                                  "sys_time"};

struct Capabilities {
  std::vector<std::string> on;
  std::vector<std::string> off;
};

Capabilities listed_capabilities(LibvirtDraft& draft, const pugi::xml_node& node) {
  Capabilities listed;
  for (const auto& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    const auto state = attribute(child, "state");
    if (state != "on" && state != "off")
      draft.not_carried(child, formatted("'{}' is not on or off; taken as off", state));
    (state == "on" ? listed.on : listed.off).push_back(to_lower(child.name()));
  }
  return listed;
}

void read_capabilities(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto policy = attribute(node, "policy");
  auto listed = listed_capabilities(draft, node);
  const bool is_known = policy.empty() || policy == "default" || policy == "allow" || policy == "deny";
  if (!is_known)
    draft.not_carried(node, formatted("'{}' is not default, allow or deny; taken as deny", policy));
  if (policy == "deny" || !is_known) {
    draft.put("lxc.cap.keep", listed.on.empty() ? "none" : join(listed.on, " "), node);
    return;
  }
  if (policy != "allow") {
    for (const auto name : kDroppedByDefault) {
      const auto says = [name](const std::string& text) { return text == name; };
      if (std::none_of(listed.on.begin(), listed.on.end(), says) &&
          std::none_of(listed.off.begin(), listed.off.end(), says)) {
        listed.off.emplace_back(name);
      }
    }
  }
  if (!listed.off.empty()) draft.put("lxc.cap.drop", join(listed.off, " "), node);
}

constexpr ElementRow kFeatures[] = {
    {"acpi", ignore}, {"apic", ignore},    {"capabilities", read_capabilities},
    {"pae", ignore},  {"privnet", ignore},  // see read_domain
};

void read_features(LibvirtDraft& draft, const pugi::xml_node& node) {
  read_children(draft, node, kFeatures, std::size(kFeatures));
}

void read_clock(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto offset = attribute(node, "offset");
  // libvirt's default; nothing is changed in the container.
  if (offset.empty() || offset == "utc") return;
  if (offset == "localtime") return draft.set("timezone", "host", node);
  if (offset == "timezone") {
    const auto zone = attribute(node, "timezone");
    if (check_file_value("timezone", zone).ok()) return draft.set("timezone", zone, node);
  }
  draft.not_carried(node, formatted("the offset '{}' has no counterpart", offset));
}

// <on_poweroff>destroy</on_poweroff> and so on, where they say what happens anyway.
void read_action(LibvirtDraft& draft, const pugi::xml_node& node) {
  const std::string_view usual = std::string_view(node.name()) == "on_reboot" ? "restart" : "destroy";
  if (text_of(node) != usual) draft.not_carried(node, formatted("a CT always does '{}' here", usual));
}

void read_security_label(LibvirtDraft& draft, const pugi::xml_node& node) {
  if (attribute(node, "type") == "none") return draft.put("lxc.apparmor.profile", "unconfined", node);
  if (attribute(node, "model") != "apparmor" || attribute(node, "type") != "static") {
    return draft.not_carried(node, "the container gets a generated AppArmor profile");
  }
  draft.put("lxc.apparmor.profile", text_of(node.child("label")), node);
}

// xmlns:lxc: namespaces of others.
void read_shared_namespaces(LibvirtDraft& draft, const pugi::xml_node& node) {
  constexpr std::pair<std::string_view, const char*> kNames[] = {
      {"lxc:shareipc", "ipc"}, {"lxc:sharenet", "net"}, {"lxc:shareuts", "uts"}};
  for (const auto& child : node.children()) {
    const auto* row = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const auto& known) { return known.first == child.name(); });
    if (row == std::end(kNames)) {
      draft.not_carried(child, "it is no namespace that can be shared");
      continue;
    }
    const auto type = attribute(child, "type");
    if (type != "netns" && type != "pid" && type != "name") {
      draft.not_carried(child, formatted("'{}' is not netns, pid or name", type));
      continue;
    }
    const auto value = attribute(child, "value");
    draft.put(formatted("lxc.namespace.share.{}", row->second),
              type == "netns" ? "/run/netns/" + value : value, child);
  }
}

constexpr ElementRow kDomain[] = {
    {"blkiotune", ignore},  // read_tuning
    {"clock", read_clock},
    {"cputune", ignore},
    {"currentMemory", ignore},
    {"description", add_description},
    {"devices", read_devices},
    {"features", read_features},
    {"idmap", read_id_map},
    {"lxc:namespace", read_shared_namespaces},
    {"memory", ignore},
    {"memtune", ignore},
    {"name", read_name},
    {"numatune", ignore},
    {"on_crash", read_action},
    {"on_poweroff", read_action},
    {"on_reboot", read_action},
    {"os", read_os},
    {"seclabel", read_security_label},
    {"title", add_description},
    {"vcpu", ignore},
};

}  // namespace

void LibvirtDraft::set(std::string_view option, const std::string& value, const pugi::xml_node& node) {
  auto check = check_file_value(option, value);
  if (!check.ok()) return not_carried(node, formatted("'{}': {}", value, check.reason));
  lxc.section.set(option, std::move(*check.value), origin(node));
}

void LibvirtDraft::not_carried(const pugi::xml_node& node, std::string_view why) {
  lxc.not_carried(origin(node), formatted("<{}>: {}", node.name(), why));
}

void LibvirtDraft::bad(const pugi::xml_node& node, const std::string& text, std::string_view expects) const {
  throw Error(formatted("<{}>: '{}' is not {}", node.name(), text, expects), 0, "correct the value",
              origin(node));
}

std::uint64_t LibvirtDraft::number(const pugi::xml_node& node, const std::string& text) const {
  const auto value = parse_unsigned(text);
  if (!value) bad(node, text, "a number");
  return *value;
}

void read_children(LibvirtDraft& draft, const pugi::xml_node& parent, const ElementRow* rows,
                   std::size_t count) {
  for (const auto& child : parent.children()) {
    if (child.type() != pugi::node_element) continue;
    const auto* row =
        std::find_if(rows, rows + count, [&](const ElementRow& known) { return known.name == child.name(); });
    if (row == rows + count) {
      draft.not_carried(child, "it has no counterpart in a CT config");
    } else {
      draft.attempt(child, [&] { row->read(draft, child); });
    }
  }
}

void read_domain(LibvirtDraft& draft, const pugi::xml_node& domain) {
  if (!domain.child("features").child("capabilities")) {
    std::vector<std::string> names(std::begin(kDroppedByDefault), std::end(kDroppedByDefault));
    draft.lxc.entries.push_back({"lxc.cap.drop", join(names, " "), draft.origin(domain)});
  }
  read_children(draft, domain, kDomain, std::size(kDomain));
  read_tuning(draft, domain);
  // One that is not carried over is no wish to share the host's network, either.
  const auto devices = domain.child("devices");
  const bool has_network = draft.interfaces > 0 || devices.child("interface") ||
                           domain.child("features").child("privnet") ||
                           domain.child("lxc:namespace").child("lxc:sharenet");
  if (!has_network) {
    draft.put("lxc.net.0.type", "none", domain);
    draft.lxc.remark(
        draft.origin(domain),
        "there is no <interface> and no <privnet/>: as with libvirt, the container shares the host's "
        "network");
  }
}

Imported import_libvirt(std::string_view text, const std::string& source, std::uint32_t vmid,
                        const ImportSources& sources) {
  const XmlDocument document(text, source);
  const auto domain = document.root();
  const auto type = attribute(domain, "type");
  if (std::string_view(domain.name()) != "domain") {
    throw Error(formatted("'{}': <{}> is no container of libvirt's", source, domain.name()), 0,
                "what 'virsh dumpxml' prints for a container begins with <domain type='lxc'>",
                document.origin(domain));
  }
  if (type != "lxc" && type != "linuxcontainer") {
    throw Error(formatted("'{}': a domain of type '{}' is no container", source, type), 0,
                "only <domain type='lxc'> can be read", document.origin(domain));
  }
  Imported imported;
  imported.config.vmid = vmid;
  imported.config.path = source;
  auto& section = imported.config.main;
  LxcDraft lxc{section, {}, sources, imported};
  LibvirtDraft draft{document, lxc};
  // Capabilities are told one by one; the other defaults of a CT are libvirt's, too.
  section.raw.push_back({"lxc.cap.drop", "", default_origin()});
  section.set("ostype", "unmanaged", default_origin());
  if (type == "lxc") {
    read_domain(draft, domain);
  } else {
    read_domain_of_2008(draft, domain);
  }
  finish_import(lxc);
  return imported;
}

}  // namespace hutch::config
