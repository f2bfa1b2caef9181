#include "config/container_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/sha1.h"

namespace hutch::config {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

struct Document {
  ContainerConfig config;
  Diagnostics diagnostics;
};

Document read(std::string_view text) {
  Document document;
  document.config = read_config(text, "100.conf", 100, document.diagnostics);
  return document;
}

std::string rewritten(std::string_view text) {
  return write_config(read(text).config);
}

// The only diagnostic of a text, as "<severity> <text>".
std::string diagnostic(std::string_view text) {
  const auto document = read(text);
  if (document.diagnostics.size() != 1) return std::to_string(document.diagnostics.size()) + " diagnostics";
  const auto& first = document.diagnostics.front();
  return (first.severity == Diagnostic::Severity::error ? "error " : "warning ") + first.text();
}

constexpr std::string_view kExample =
    "#first line of the notes%3A with a colon\n"
    "arch: amd64\n"
    "cores: 2\n"
    "hostname: web1\n"
    "memory: 1024\n"
    "mp0: local:101/vm-101-disk-1.raw,mp=/srv,backup=1,size=8G\n"
    "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56,ip=dhcp,type=veth\n"
    "ostype: debian\n"
    "parent: before\n"
    "rootfs: local:101/vm-101-disk-0.raw,size=4G\n"
    "swap: 512\n"
    "unprivileged: 1\n"
    "lxc.cap.drop: sys_ptrace\n"
    "\n"
    "[pve:pending]\n"
    "delete: searchdomain\n"
    "nameserver: 10.0.0.1\n"
    "\n"
    "[before]\n"
    "arch: amd64\n"
    "hostname: web1\n"
    "memory: 512\n"
    "ostype: debian\n"
    "rootfs: local:101/vm-101-disk-0.raw,size=4G\n"
    "snaptime: 1767225600\n"
    "swap: 512\n"
    "unprivileged: 1\n";

TEST(Document, WritesTheSpecificationsExampleByteForByte) {
  const auto document = read(kExample);
  EXPECT_THAT(document.diagnostics, IsEmpty());
  EXPECT_EQ(write_config(document.config), kExample);
}

TEST(Document, ReadsTheExamplesSections) {
  const auto config = read(kExample).config;
  EXPECT_EQ(config.vmid, 100U);
  EXPECT_EQ(config.main.description, "first line of the notes: with a colon\n");
  EXPECT_EQ(*config.main.find("memory"), (Located<std::string>{"1024", {"100.conf", 5}}));
  EXPECT_THAT(config.main.raw, ElementsAre(RawEntry{"lxc.cap.drop", "sys_ptrace", {"100.conf", 13}}));
  EXPECT_THAT(config.pending.pending_deletes, ElementsAre(Pair("searchdomain", false)));
  EXPECT_EQ(config.pending.get("nameserver"), "10.0.0.1");
  EXPECT_EQ(config.section("before")->get("memory"), "512");
  EXPECT_EQ(config.section("")->get("memory"), "1024");
  EXPECT_EQ(config.section("after"), nullptr);
}

TEST(Document, HasTheDigestOfTheFile) {
  EXPECT_EQ(read(kExample).config.digest, sha1_hex(kExample));
  EXPECT_EQ(read("").config.digest, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Reader, IgnoresBlankLinesAndAMissingLastNewline) {
  EXPECT_EQ(rewritten("\n  \t\nmemory: 512\n\n\ncores: 1"), "cores: 1\nmemory: 512\n");
}

TEST(Reader, TakesPendingInAnyCaseWithTrailingBlanks) {
  EXPECT_EQ(rewritten("[PVE:Pending]  \nmemory: 1024\n"), "\n[pve:pending]\nmemory: 1024\n");
}

TEST(Reader, TakesSnapshotNamesOfTwoCharactersOrMore) {
  EXPECT_EQ(rewritten("[A-b_9] \nmemory: 1\n[aa]\nmemory: 2\n"), "\n[A-b_9]\nmemory: 1\n\n[aa]\nmemory: 2\n");
}

TEST(Reader, KeepsASectionWithABadNameApart) {
  const std::string text = "memory: 512\n\n[x]\n#note\nmemory: 16\nlxc.idmap: u 0 0 1\n";
  const auto document = read(text);
  EXPECT_EQ(document.config.main.get("memory"), "512");
  EXPECT_EQ(write_config(document.config), text);
  EXPECT_THAT(diagnostic(text), HasSubstr("error 100.conf:3: CT 100: '[x]' is no section name"));
}

TEST(Reader, ReturnsToKnownSectionsAfterABadOne) {
  EXPECT_EQ(rewritten("[x]\nfoo: 1\n[ok]\nmemory: 16\n"), "\n[ok]\nmemory: 16\n\n[x]\nfoo: 1\n");
}

TEST(Reader, AddsASecondSectionOfTheSameNameToTheFirst) {
  EXPECT_EQ(rewritten("[aa]\nmemory: 16\n[bb]\n[aa]\ncores: 1\n"), "\n[aa]\ncores: 1\nmemory: 16\n\n[bb]\n");
}

TEST(Reader, PutsCommentsIntoTheSectionTheyStandIn) {
  const auto config = read("memory: 512\n#about [aa]\n[aa]\ncores: 1\n#in aa\n").config;
  EXPECT_EQ(config.main.description, "about [aa]\n");
  EXPECT_EQ(config.section("aa")->description, "in aa\n");
  EXPECT_EQ(write_config(config), "#about [aa]\nmemory: 512\n\n[aa]\n#in aa\ncores: 1\n");
}

TEST(Reader, DecodesComments) {
  EXPECT_EQ(read("#a%3Ab%C3%A9\n#\n# c\n").config.main.description, "a:b\xc3\xa9\n\n c\n");
}

TEST(Reader, AppendsTheOldDescriptionWithoutNewline) {
  EXPECT_EQ(read("#a\ndescription: b%0Ac\n").config.main.description, "a\nb\nc");
  EXPECT_EQ(rewritten("description: b%0Ac\n"), "#b\n#c\n");
}

TEST(Reader, DoesNotTakeCommentsAfterBlanks) {
  EXPECT_EQ(rewritten(" #x\n"), " #x\n");
  EXPECT_THAT(diagnostic(" #x\n"), HasSubstr("error 100.conf:1:"));
}

TEST(Reader, HasNoInlineComments) {
  EXPECT_EQ(read("lock: a # b\n").config.main.get("lock"), "a # b");
}

TEST(Reader, TakesRawKeysWithColonOrEquals) {
  const auto config =
      read("lxc.cap.drop: a\nlxc.cap.drop  =  b c \nlxc.cap.keep=\nlxc.uts.name:x=y\n").config;
  EXPECT_THAT(config.main.raw, ElementsAre(RawEntry{"lxc.cap.drop", "a", {"100.conf", 1}},
                                           RawEntry{"lxc.cap.drop", "b c", {"100.conf", 2}},
                                           RawEntry{"lxc.cap.keep", "", {"100.conf", 3}},
                                           RawEntry{"lxc.uts.name", "x=y", {"100.conf", 4}}));
  EXPECT_EQ(write_config(config), "lxc.cap.drop: a\nlxc.cap.drop: b c\nlxc.cap.keep: \nlxc.uts.name: x=y\n");
}

TEST(Reader, RefusesABlankBeforeTheColonOfARawKey) {
  EXPECT_THAT(diagnostic("lxc.cap.drop : a\n"), HasSubstr("error 100.conf:1:"));
}

TEST(Reader, KeepsRawKeysThatItRefuses) {
  const std::string text = "memory: 512\nlxc.nosuch = 1\n";
  EXPECT_EQ(rewritten(text), text);
  EXPECT_TRUE(read(text).config.main.raw.empty());
  EXPECT_THAT(diagnostic("lxc.nosuch = 1\n"), HasSubstr("unknown key 'lxc.nosuch'"));
}

TEST(Reader, KeepsALxcRootfsWithoutEffectWhereTheOptionIsSet) {
  const std::string text = "rootfs: /r\nlxc.rootfs.path: /x\n";
  EXPECT_EQ(rewritten(text), text);
  EXPECT_THAT(diagnostic(text), HasSubstr("error 100.conf:2: CT 100: 'lxc.rootfs.path' must be set through "
                                          "the option rootfs"));
  EXPECT_EQ(diagnostic("lxc.rootfs.path: /x\n"), "0 diagnostics");
}

TEST(Reader, WarnsAboutOldRawKeysAndStoresThem) {
  EXPECT_EQ(diagnostic("lxc.utsname: a\n"),
            "warning 100.conf:1: CT 100: 'lxc.utsname' is now called 'lxc.uts.name'");
  EXPECT_THAT(diagnostic("lxc.limit.nofile: 1\n"), HasSubstr("'lxc.prlimit.nofile'"));
  EXPECT_THAT(diagnostic("lxc.cgroup.memory.limit_in_bytes: 1\n"),
              HasSubstr("warning 100.conf:1: CT 100: 'lxc.cgroup"));
  EXPECT_EQ(rewritten("lxc.utsname: a\n"), "lxc.utsname: a\n");
}

TEST(Reader, FoldsRuntimeEnvironmentIntoEnv) {
  const auto config =
      read("lxc.environment.runtime: A=1\nlxc.cap.drop: x\nlxc.environment.runtime = B=2 3\n").config;
  EXPECT_EQ(config.main.get("env"), std::string("A=1\0B=2 3", 9));
  EXPECT_EQ(write_config(config),
            "lxc.environment.runtime: A=1\nlxc.environment.runtime: B=2 3\nlxc.cap.drop: x\n");
}

TEST(Reader, KeepsARuntimeEnvironmentLineThatIsNoVariable) {
  EXPECT_EQ(rewritten("lxc.environment.runtime: PATH\n"), "lxc.environment.runtime: PATH\n");
  EXPECT_EQ(read("lxc.environment.runtime: PATH\n").config.main.get("env"), std::nullopt);
}

TEST(Reader, TakesSnapStateAtTheEndOfALine) {
  EXPECT_EQ(read("[aa]\nsnapstate: prepare \n").config.section("aa")->snapstate, "prepare");
  EXPECT_EQ(rewritten("[aa]\nsnapstate: delete\nmemory: 16\n"), "\n[aa]\nmemory: 16\nsnapstate: delete\n");
}

TEST(Reader, KeepsTextBeforeSnapState) {
  const auto document = read("[aa]\nfoo snapstate: delete\n");
  EXPECT_EQ(document.config.section("aa")->snapstate, "delete");
  EXPECT_THAT(write_config(document.config), HasSubstr("foo snapstate: delete\n"));
}

TEST(Reader, TakesDeleteOnlyInPending) {
  EXPECT_THAT(diagnostic("delete: memory\n"),
              HasSubstr("error 100.conf:1: CT 100: 'delete' belongs into [pve:pending]"));
  EXPECT_EQ(rewritten("delete: memory\n"), "delete: memory\n");
  const auto config = read("[pve:pending]\ndelete: tty, !mp0;cores  net1\n").config;
  EXPECT_THAT(config.pending.pending_deletes,
              ElementsAre(Pair("cores", false), Pair("mp0", true), Pair("net1", false), Pair("tty", false)));
  EXPECT_EQ(write_config(config), "\n[pve:pending]\ndelete: cores,!mp0,net1,tty\n");
}

TEST(Reader, SortsDeleteAmongTheOptions) {
  EXPECT_EQ(rewritten("[pve:pending]\nmemory: 16\ndelete: tty\ncores: 1\n"),
            "\n[pve:pending]\ncores: 1\ndelete: tty\nmemory: 16\n");
}

TEST(Reader, DropsSurroundingBlanksOfValues) {
  EXPECT_EQ(rewritten("hostname:   web1  \t\nmemory:512\n"), "hostname: web1\nmemory: 512\n");
}

TEST(Reader, NormalisesBooleansAndIntegers) {
  EXPECT_EQ(rewritten("onboot: Yes\nmemory: 00512\nconsole: off\n"), "console: 0\nmemory: 512\nonboot: 1\n");
}

TEST(Reader, TakesTheLaterDuplicateAndSaysSo) {
  EXPECT_EQ(read("memory: 512\nmemory: 1024\n").config.main.get("memory"), "1024");
  EXPECT_EQ(diagnostic("memory: 512\nmemory: 1024\n"),
            "warning 100.conf:1: CT 100: option 'memory' is given again in line 2; '512' does not count");
}

TEST(Reader, KeepsValuesThatFailTheirCheck) {
  EXPECT_EQ(rewritten("memory: much\n"), "memory: much\n");
  EXPECT_EQ(
      diagnostic("memory: much\n"),
      "error 100.conf:1: CT 100: option 'memory': 'much' is not a whole number; the value is kept as it is");
}

TEST(Reader, KeepsUnknownOptions) {
  EXPECT_EQ(rewritten("zebra1: 1\nmp256: x\n"), "mp256: x\nzebra1: 1\n");
  EXPECT_EQ(diagnostic("zebra1: 1\n"),
            "error 100.conf:1: CT 100: option 'zebra1': unknown option; the value is kept as "
            "it is");
}

TEST(Reader, DoesNotCheckRangesAndWords) {
  EXPECT_THAT(read("arch: foo\ntty: 99\nmemory: 1\n").diagnostics, IsEmpty());
}

class UnreadableLine : public testing::TestWithParam<const char*> {};
TEST_P(UnreadableLine, IsReportedAndKeptInItsSection) {
  const std::string line = GetParam();
  const std::string text = "memory: 512\n" + line + "\n\n[aa]\ncores: 1\n" + line + "\n";
  const auto document = read(text);
  ASSERT_EQ(document.diagnostics.size(), 2U);
  EXPECT_EQ(document.diagnostics[0].origin, (Origin{"100.conf", 2}));
  EXPECT_EQ(document.diagnostics[1].origin, (Origin{"100.conf", 6}));
  EXPECT_TRUE(has_errors(document.diagnostics));
  EXPECT_EQ(write_config(document.config), text);
}
INSTANTIATE_TEST_SUITE_P(Table, UnreadableLine,
                         testing::Values(" memory: 512", "Memory: 512", "memory = 512", "memory 512",
                                         "memory:", "memory: ", "garbage", "[open", "_x: 1", "mem1ory: 1",
                                         "a-b: 1", "lxc.: x", "lxc.cap.drop", "lxc.Cap.drop: x", ": x"));

TEST(Reader, TakesFilesWithCrLf) {
  const auto document = read("#note\r\nmemory: 512\r\n\r\n[aa]\r\nlxc.cap.drop: x\r\n");
  EXPECT_THAT(document.diagnostics, IsEmpty());
  EXPECT_EQ(write_config(document.config), "#note\nmemory: 512\n\n[aa]\nlxc.cap.drop: x\n");
}

TEST(Reader, RefusesACarriageReturnInsideALine) {
  EXPECT_THAT(diagnostic("hostname: a\rb\n"),
              HasSubstr("error 100.conf:1: CT 100: a carriage return inside a line"));
  EXPECT_EQ(rewritten("hostname: a\rb\n"), "hostname: a\rb\n");
}

TEST(Reader, SurvivesAnyBytes) {
  const std::string text("\0\xff\xfe:\nmemory\0: 1\n[\0\0]\nx\n"sv);
  EXPECT_EQ(rewritten(rewritten(text)), rewritten(text));
}

// Whatever is in a file: reading never fails, and what is written reads back as the same text.
TEST(Reader, IsStableForDamagedFiles) {
  const std::string original =
      std::string(kExample) +
      "\n[x]\nbroken\n\n[later]\n#c\nsnapstate: delete\nlxc.environment.runtime: A=1\r\n"
      "unused0: local:101/vm-101-disk-1.raw\ndelete: a,!b\n";
  constexpr std::string_view bytes = "\n\r\0[]#:=,!. %axpve0129\xff"sv;
  std::uint32_t random = 1;
  const auto next = [&random](std::size_t below) {
    random = random * 1664525 + 1013904223;  // Numerical Recipes' generator: the same damage in every run
    return (random >> 8) % below;
  };
  for (int round = 0; round < 1000; ++round) {
    std::string text = original;
    for (std::size_t i = 0; i <= next(8); ++i) {
      const auto at = next(text.size());
      switch (next(3)) {
        case 0: text[at] = bytes[next(bytes.size())]; break;
        case 1: text.erase(at, next(30)); break;
        default: text.insert(at, 1, bytes[next(bytes.size())]);
      }
    }
    const auto once = rewritten(text);
    ASSERT_EQ(rewritten(once), once) << "round " << round << ":\n" << text;
  }
}

TEST(Writer, SortsOptionsBytewise) {
  EXPECT_EQ(rewritten("mp2: /a,mp=/a\nmp10: /a,mp=/b\nmp1: /a,mp=/c\n"),
            "mp1: /a,mp=/c\nmp10: /a,mp=/b\nmp2: /a,mp=/a\n");
}

TEST(Writer, WritesDescriptionsAsEncodedComments) {
  ContainerConfig config;
  config.main.set("description", "a: 50%\n\nb\n\n\n");
  EXPECT_EQ(write_config(config), "#a%3A 50%25\n#\n#b\n");
  config.main.set("description", "\n\n");
  EXPECT_EQ(write_config(config), "");
}

TEST(Reader, SplitsEnvAtNulsOnly) {
  EXPECT_THAT(rewritten("env: A=1;B=2, C=3\n"), "lxc.environment.runtime: A=1;B=2, C=3\n");
  EXPECT_THAT(rewritten("env: A=1 \0B=2\n"sv),
              "lxc.environment.runtime: A=1\nlxc.environment.runtime: B=2\n");
}

TEST(Reader, KeepsADeleteListWithANulAsItIs) {
  const auto document = read("[pve:pending]\ndelete: a,b\0c\n"sv);
  EXPECT_THAT(document.config.pending.pending_deletes, IsEmpty());
  EXPECT_EQ(write_config(document.config), "\n[pve:pending]\ndelete: a,b\0c\n"sv);
}

TEST(Reader, KeepsASnapStateOutsideOfSnapshotsAsALineOfItsOwn) {
  const auto document = read("snapstate: delete\n[pve:pending]\nsnapstate: prepare\n");
  EXPECT_EQ(document.config.main.snapstate, "");
  EXPECT_EQ(document.config.pending.snapstate, "");
  EXPECT_THAT(document.diagnostics, SizeIs(2));
  EXPECT_EQ(write_config(document.config), "snapstate: delete\n\n[pve:pending]\nsnapstate: prepare\n");
}

TEST(Writer, LeavesSnapStateOutOfTheMainSection) {
  ContainerConfig config;
  config.main.set("memory", "16");
  config.main.snapstate = "delete";
  EXPECT_EQ(write_config(config), "memory: 16\n");
}

TEST(Writer, DropsUnusedVolumesThatAreInUse) {
  EXPECT_EQ(rewritten("mp0: local:100/b,mp=/b\nrootfs: local:100/a,size=4G\nunused0: local:100/a\nunused1: "
                      "volume=local:100/b\nunused2: local:100/c\n"),
            "mp0: local:100/b,mp=/b\nrootfs: local:100/a,size=4G\nunused2: local:100/c\n");
}

TEST(Writer, KeepsLinesOfAnOptionThatDoNotCountBeforeTheOneThatDoes) {
  constexpr std::string_view kText =
      "cores: 1\ncores: 3\ncores: 2\nmemory: much\nmemory: 512\n\n[pve:pending]\nswap: 1\nswap: 2\n\n"
      "[before]\nmemory: 16\nmemory: 32\n";
  auto config = read(kText).config;
  EXPECT_EQ(write_config(config), kText);
  EXPECT_EQ(config.main.superseded.at("cores")[1].origin.text(), "100.conf:2");
  config.main.set("cores", "4");
  EXPECT_THAT(write_config(config), HasSubstr("cores: 1\ncores: 3\ncores: 4\n"));
}

TEST(Writer, ALineThatDoesNotCountNeverBeginsTo) {
  auto config = read("cores: 1\ncores: 2\n").config;
  EXPECT_TRUE(config.main.erase("cores"));
  EXPECT_EQ(write_config(config), "");
  // Without the first line unused0 would not be written.
  constexpr std::string_view kUnused =
      "rootfs: local:100/vm-100-disk-0.raw\nunused0: local:100/vm-100-disk-9.raw\n"
      "unused0: local:100/vm-100-disk-0.raw\n";
  EXPECT_EQ(rewritten(kUnused), kUnused);
}

TEST(Writer, RefusesANewlineInsideAValueNamingTheOption) {
  ContainerConfig config;
  config.main.set("hostname", "a\nb");
  try {
    write_config(config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'hostname'"));
  }
}

TEST(Writer, SortsSnapshotsByName) {
  EXPECT_EQ(rewritten("[b1]\ncores: 1\n[B1]\ncores: 1\n[a1]\ncores: 1\n"),
            "\n[B1]\ncores: 1\n\n[a1]\ncores: 1\n\n[b1]\ncores: 1\n");
}

TEST(Writer, LeavesAnEmptyPendingSectionOut) {
  EXPECT_EQ(rewritten("memory: 16\n[pve:pending]\n"), "memory: 16\n");
}

TEST(Writer, IsStable) {
  const std::string text =
      "#b\ngarbage\nmemory: x\nlxc.utsname: a\n[aa]\n#c\nfoo\nsnapstate: "
      "prepare\n[x]\nbar\n[pve:pending]\ndelete: a,!b\n";
  const auto once = rewritten(text);
  EXPECT_EQ(rewritten(once), once);
}

TEST(Section, SetsErasesAndListsOptions) {
  Section section;
  section.set("memory", "512", {"--memory", 0});
  section.set("description", "x");
  section.set("env", std::string("A=1\0B=2", 7));
  EXPECT_THAT(section.keys(), ElementsAre("description", "env", "memory"));
  EXPECT_EQ(section.origin_of("memory").text(), "--memory");
  EXPECT_EQ(section.environment.size(), 2U);
  EXPECT_TRUE(section.erase("memory"));
  EXPECT_FALSE(section.erase("memory"));
  EXPECT_TRUE(section.erase("env"));
  EXPECT_TRUE(section.erase("description"));
  EXPECT_TRUE(section.empty());
}

TEST(Section, ReadsTypedValues) {
  const auto config = read("onboot: 1\nmemory: 512\ncpulimit: 1.5\ncores: x\n").config;
  EXPECT_EQ(config.main.boolean("onboot"), true);
  EXPECT_EQ(config.main.boolean("protection"), std::nullopt);
  EXPECT_TRUE(config.main.boolean_or("console", true));
  EXPECT_EQ(config.main.unsigned_number("memory"), 512U);
  EXPECT_EQ(config.main.number("cpulimit"), 1.5);
  try {
    config.main.unsigned_number("cores");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin(), (Origin{"100.conf", 4}));
    EXPECT_THAT(error.what(), HasSubstr("'cores': 'x' is not a whole number"));
  }
}

TEST(Section, ListsIndexedKeysByNumber) {
  const auto config = read("mp10: a\nmp2: a\nmp01: a\nmp256: a\nmpx: a\n").config;
  EXPECT_THAT(config.main.indexed_keys("mp"), ElementsAre("mp2", "mp10"));
}

}  // namespace
}  // namespace hutch::config
