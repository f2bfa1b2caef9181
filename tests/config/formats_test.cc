#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/config_transfer.h"
#include "tests/config/formats_fixture.h"

// Every tests/config/formats/*.{lxc,xml}, recognised by its content and converted: the config is compared
// with the .conf beside it, what was said with the .said. HUTCH_UPDATE_GOLDEN=1 writes both anew; then read
// the difference.
namespace hutch::config {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> input_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFormatsDirectory)) {
    const auto extension = entry.path().extension();
    if (extension == ".lxc" || extension == ".xml") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void compare(const std::string& path, const std::string& text) {
  if (std::getenv("HUTCH_UPDATE_GOLDEN") != nullptr) replace_file(AT_FDCWD, path, text, 0644);
  EXPECT_EQ(text, read_file_if_exists(AT_FDCWD, path).value_or("there is no " + path));
}

class Conversion : public ::testing::TestWithParam<std::string> {};

TEST_P(Conversion, GivesTheConfigBesideIt) {
  const auto imported = import_example(GetParam());
  const std::string stem = std::string(kFormatsDirectory) + "/" + fs::path(GetParam()).stem().string();
  compare(stem + ".conf", write_config(imported.config));
  compare(stem + ".said", said(imported));
}

// What is written is a config that reads back without a complaint.
TEST_P(Conversion, ReadsBack) {
  const auto imported = import_example(GetParam());
  Diagnostics diagnostics;
  const auto text = write_config(imported.config);
  const auto again = read_config(text, "100.conf", 100, diagnostics);
  EXPECT_EQ(write_config(again), text);
  for (const auto& diagnostic : diagnostics) ADD_FAILURE() << diagnostic.text();
}

TEST_P(Conversion, KeepsTheLinesOfTheSource) {
  const auto imported = import_example(GetParam());
  const auto text = example(GetParam());
  const int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  const auto check = [&](const Origin& origin) {
    const bool of_file = origin.source == GetParam() && origin.line >= 1 && origin.line <= lines;
    const bool of_other =
        origin == Origin{"default", 0} || (origin.source.starts_with("/fixture/") && origin.line > 0);
    EXPECT_TRUE(of_file || of_other) << origin.text();
  };
  for (const auto& [key, option] : imported.config.main.options) check(option.origin);
  for (const auto& entry : imported.config.main.raw) check(entry.origin);
}

TEST_P(Conversion, IsTheSameAfterATransfer) {
  const auto imported = import_example(GetParam());
  const auto got = read_transfer(write_transfer({imported.config, imported.diagnostics}));
  EXPECT_EQ(got.config, imported.config);
  EXPECT_EQ(got.diagnostics, imported.diagnostics);
}

INSTANTIATE_TEST_SUITE_P(Examples, Conversion, ::testing::ValuesIn(input_names()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

// With options or as raw lines after LXC's defaults: the same container.
class SameContainer : public ::testing::TestWithParam<std::string> {};

TEST_P(SameContainer, AsWithoutASingleOption) {
  const auto with_options = import_example(GetParam()).config;
  const auto raw = import_lxc_raw(example(GetParam()), GetParam(), 100, example_sources()).config;
  // Raw lines of the network and net[n] give the bridge port different VLANs: these are compared as text.
  EXPECT_EQ(describe(with_options, false), describe(raw, false));
}

INSTANTIATE_TEST_SUITE_P(Classic, SameContainer,
                         ::testing::Values("classic-alpine-privileged.lxc", "classic-bare.lxc",
                                           "classic-common-idmap.lxc", "classic-debian-unprivileged.lxc",
                                           "classic-includes.lxc", "legacy-names.lxc"));

std::string detected(std::string_view text) {
  try {
    return std::string(format_name(detect_format(text, "file")));
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Detection, GoesByContent) {
  EXPECT_EQ(detected("arch: amd64\n"), "pve");
  EXPECT_EQ(detected("# c\narch: amd64\nlxc.cap.drop = x\n"), "pve");
  EXPECT_EQ(detected("lxc.cap.drop: x\n"), "pve");
  EXPECT_EQ(detected("[pve:pending]\n"), "pve");
  EXPECT_EQ(detected("note: ours\n[x]\nlxc.uts.name = a\n"), "lxc");
  EXPECT_EQ(detected("lxc.uts.name = a\n"), "lxc");
  EXPECT_EQ(detected("lxc.utsname = a\nlxc.rootfs = /r\n"), "lxc");
  EXPECT_EQ(detected("lxc.utsname = a\nlxc.chroot = /r\n"), "lxc-0.1");
  EXPECT_EQ(detected("lxc.network.type = veth\n"), "lxc-0.1");
  EXPECT_EQ(detected("lxc.utsname = a\npve.onboot = 1\n"), "early-pve");
  EXPECT_EQ(detected("\xEF\xBB\xBF<domain type='lxc'/>"), "libvirt");
  EXPECT_EQ(detected("  \n<?xml version='1.0'?><domain/>"), "libvirt");
}

TEST(Detection, SaysWhatIsWrongWithOthers) {
  EXPECT_THAT(detected(" \n\n"), HasSubstr("'file' is empty [file]; give a CT config"));
  EXPECT_THAT(detected(std::string("\x7f"
                                   "ELF\0\0",
                                   6)),
              HasSubstr("is a binary file"));
  EXPECT_THAT(detected("hello world\n"), HasSubstr("there is no line of any format"));
  EXPECT_THAT(detected("[unit]\ncolour: red\n"), HasSubstr("there is no line of any format"));
  EXPECT_THAT(detected(std::string(2U << 20, 'a')), HasSubstr("larger than any container file"));
}

std::string libvirt_error(std::string_view text) {
  return error_of_import(Format::libvirt, text);
}

TEST(Libvirt, RefusesWhatIsNoContainer) {
  EXPECT_THAT(libvirt_error("<domain type='lxc'>\n<name>x</name>\n"), HasSubstr("is no well-formed XML"));
  EXPECT_THAT(libvirt_error("<domain type='kvm'/>"), HasSubstr("a domain of type 'kvm' is no container"));
  EXPECT_THAT(libvirt_error("<network/>"), HasSubstr("<network> is no container of libvirt's"));
  std::string deep = "<domain type='lxc'>";
  for (int i = 0; i < 5000; ++i) deep += "<a>";
  for (int i = 0; i < 5000; ++i) deep += "</a>";
  EXPECT_THAT(libvirt_error(deep + "</domain>"), HasSubstr("nested deeper than 64"));
}

TEST(Libvirt, ExpandsNoEntities) {
  const auto imported = import_config(Format::libvirt,
                                      "<!DOCTYPE d [<!ENTITY a 'boom'>]><domain type='lxc'><name>x</name>"
                                      "<title>&a;&amp;</title></domain>",
                                      "file", 100, {});
  EXPECT_EQ(imported.config.main.description, "&a;&\n");
}

struct Memory {
  std::string xml;
  std::string option;  // "memory", else the raw line
};
class LibvirtMemory : public ::testing::TestWithParam<Memory> {};
TEST_P(LibvirtMemory, HasTheRightUnit) {
  const auto imported =
      import_config(Format::libvirt, "<domain type='lxc'><memory " + GetParam().xml + "</memory></domain>",
                    "file", 100, {});
  std::string got = imported.config.main.get("memory").value_or("");
  for (const auto& entry : imported.config.main.raw) {
    if (entry.key == "lxc.cgroup2.memory.max" && !entry.value.empty()) got = entry.value + " bytes";
  }
  EXPECT_EQ(got, GetParam().option);
}
INSTANTIATE_TEST_SUITE_P(
    Units, LibvirtMemory,
    ::testing::Values(Memory{">1048576", "1024"}, Memory{"unit='b'>1048576000", "1000"},
                      Memory{"unit='bytes'>100", "100 bytes"}, Memory{"unit='KB'>1", "1000 bytes"},
                      Memory{"unit='k'>1048576", "1024"}, Memory{"unit='MB'>1", "1000000 bytes"},
                      Memory{"unit='M'>64", "64"}, Memory{"unit='MiB'>15", "15728640 bytes"},
                      Memory{"unit='GB'>1", "1000000000 bytes"}, Memory{"unit='G'>2", "2048"},
                      Memory{"unit='TiB'>1", "1048576"}, Memory{"unit='TB'>1", "1000000000000 bytes"},
                      Memory{"unit='KiB'>9007199254740991", ""},
                      Memory{"unit='TiB'>18446744073709551615", ""}));

// An option's value has no blanks around it and no quotes: such values stay raw lines.
TEST(ClassicLxc, KeepsBlanksAtTheEnd) {
  const auto imported = import_config(
      Format::lxc, "lxc.rootfs.path = \"dir:/r \"\nlxc.environment.runtime = 'A=b '\n", "file", 100, {});
  const auto text = write_config(imported.config);
  EXPECT_THAT(text, HasSubstr("lxc.rootfs.path: \"dir:/r \"\n"));
  EXPECT_THAT(text, HasSubstr("lxc.environment.runtime: \"A=b \"\n"));
  Diagnostics diagnostics;
  EXPECT_EQ(write_config(read_config(text, "100.conf", 100, diagnostics)), text);
}

TEST(EarlyPve, FillsInWhatItsToolsDid) {
  const auto config = import_config(Format::early_pve, "pve.onboot = 0\n", "file", 100, {}).config;
  EXPECT_EQ(config.main.get("cpulimit"), "0");
  EXPECT_EQ(config.main.get("cpuunits"), "1024");
}

TEST(Transfer, HasTheQueuedChangesAndTheLinesThatAreNotUnderstood) {
  const auto imported = import_config(Format::pve,
                                      "arch: amd64\nnonsense\n\n[pve:pending]\ncores: 2\ndelete: tags,!swap\n"
                                      "\n[before]\narch: amd64\nodd line\n",
                                      "file", 100, {});
  const auto got = read_transfer(write_transfer({imported.config, imported.diagnostics}));
  EXPECT_EQ(got.config, imported.config);
  EXPECT_EQ(got.config.pending.get("cores"), "2");
  EXPECT_THAT(got.config.pending.pending_deletes, ::testing::SizeIs(2));
}

TEST(Transfer, RefusesOtherText) {
  for (const char* text : {"x", "raw\n", "what\ta\tb\tc\t1\n", "raw\ta\tb\tc\tx\n", "raw\ta\\\tb\tc\t1\n"}) {
    EXPECT_THROW(read_transfer(text), Error) << text;
  }
}

}  // namespace
}  // namespace hutch::config
