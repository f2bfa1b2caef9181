#include "tests/fuzz/format_targets.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/formats/import.h"
#include "config/lxc_file.h"
#include "config/raw_keys.h"
#include "tests/config/round_trip.h"

namespace hutch::fuzz {

namespace {

// The examples of the importers' tests with this extension.
std::vector<std::string> example_texts(std::string_view extension) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("tests/config/formats")) {
    if (entry.is_regular_file() && entry.path().extension() == extension)
      paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const auto& path : paths) texts.push_back(read_file(AT_FDCWD, path));
  return texts;
}

void check_lines(std::string_view input) {
  for (const auto& line : config::lxc_lines(input)) {
    const char* const begin = line.text.data();
    if (begin < input.data() || begin + line.text.size() > input.data() + input.size())
      throw Finding("a line lies outside of the text: " + std::string(input));
    if (line.text.empty() || line.number < 1) throw Finding("an empty line: " + std::string(input));
  }
}

// What is imported can be stored: it is a config like any other.
void check_imported(config::Format format, std::string_view input) {
  config::Imported imported;
  try {
    imported = config::import_config(format, input, "input", 100, {});
  } catch (const Error&) {
    return;
  }
  std::string written;
  try {
    written = config::write_config(imported.config);
  } catch (const Error& error) {
    throw Finding(std::string("what was imported cannot be written: ") + error.what());
  }
  const std::string complaint = config::round_trip_complaint(written);
  if (!complaint.empty()) throw Finding(complaint);
}

}  // namespace

Material lxc_material() {
  Material material{example_texts(".lxc"), {}, 600, 8};
  for (const auto& key : config::raw_keys()) material.tokens.push_back("\n" + std::string(key.name) + " = ");
  for (const char* token :
       {"\nlxc.net.0.type = veth\n", "\nlxc.network.type = phys\n", "\npve.snapname = s1\n", "\nsnap.",
        "\npve.network.bridge = vmbr0\n", "\nlxc.network.veth.pair = veth100.0\n", "\nlxc.chroot = /\n",
        "\nlxc.include = /x\n", "\nlxc.cgroup.memory.limit_in_bytes = ", "\"", "'"})
    material.tokens.emplace_back(token);
  return material;
}

void run_lxc_reader(std::string_view input) {
  check_lines(input);
  // Each input goes to one of the three readers of such lines.
  constexpr std::array formats = {config::Format::lxc, config::Format::lxc01, config::Format::early_pve};
  check_imported(formats[fnv1a(input) % formats.size()], input);
}

Material xml_material() {
  Material material{example_texts(".xml"), {}, 4000, 3};
  for (const char* token : {"<domain type='lxc'>",
                            "<domain type='linuxcontainer'>",
                            "</domain>",
                            "<devices>",
                            "</devices>",
                            "<filesystem type='mount'>",
                            "<source dir='/a'/>",
                            "<target dir='/'/>",
                            "<interface type='bridge'>",
                            "<ip address='10.0.0.1' netmask='255.0.0.0'/>",
                            "<memory unit='KiB'>",
                            "<vcpu>",
                            "<idmap>",
                            "<uid start='0' target='1000' count='10'/>",
                            "&amp;",
                            "&#0;",
                            "&lt;",
                            "<![CDATA[",
                            "]]>",
                            "<!--",
                            "-->",
                            "<?xml version='1.0'?>",
                            "<!DOCTYPE a [<!ENTITY b 'c'>]>",
                            "&b;",
                            "<os><init>/x</init></os>",
                            " unit='",
                            "\xff",
                            "\xef\xbb\xbf"})
    material.tokens.emplace_back(token);
  return material;
}

void run_xml_importer(std::string_view input) {
  check_imported(config::Format::libvirt, input);
  // Cut pieces of a document seldom close what they open; these do.
  check_imported(config::Format::libvirt,
                 "<domain type='lxc'><name>a</name>" + std::string(input) + "</domain>");
}

}  // namespace hutch::fuzz
