#include "bench/function_order.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::bench {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kMap = R"(Archive member included to satisfy reference by file (symbol)

Discarded input sections

 .text._ZN5hutch4goneEv
                0x0000000000000000       0x10 base/libhutch_base.a(text.cc.o)

Linker script and memory map

LOAD /usr/lib/gcc/x86_64-linux-gnu/12/rcrt1.o

.text.start     0x0000000000001280      0x100
 *rcrt1.o(.text)
 .text          0x0000000000001280       0x22 /usr/lib/gcc/x86_64-linux-gnu/12/rcrt1.o
                0x0000000000001280                _start
 *(.text._ZN5hutch4trimEv)
 .text._ZN5hutch4trimEv
                0x0000000000001300       0x40 base/libhutch_base.a(text.cc.o)
                0x0000000000001300                hutch::trim()
 .text._ZN5hutch5emptyEv
                0x0000000000001340        0x0 base/libhutch_base.a(text.cc.o)

.text           0x0000000000001400     0x2000
 *(.text.unlikely .text.*_unlikely .text.unlikely.*)
 .text          0x0000000000001400      0x800 /usr/lib/x86_64-linux-gnu/libc.a(malloc.o)
 .text.evex     0x0000000000001c00      0x100 /usr/lib/x86_64-linux-gnu/libc.a(strlen-evex.o)
 *fill*         0x0000000000001d00       0x10 
 .text          0x0000000000001d10       0x10 /usr/lib/x86_64-linux-gnu/libm-2.36.a(s_ceil.o)
 .text._ZNSs6appendEv
                0x0000000000001d20       0x20 /usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.a(string-inst.o)

.rodata         0x0000000000010000      0x100
 .rodata        0x0000000000010000      0x100 /usr/lib/x86_64-linux-gnu/libc.a(malloc.o)
)";

TEST(LinkMap, HasThePiecesOfCodeThatTheLinkerKept) {
  std::vector<std::string> found;
  for (const auto& piece : read_link_map(kMap))
    found.push_back(formatted("{:x} {:x} {}", piece.address, piece.size, piece.section));
  EXPECT_THAT(found, ElementsAre("1280 22 .text", "1300 40 .text._ZN5hutch4trimEv", "1400 800 .text",
                                 "1c00 100 .text.evex", "1d10 10 .text", "1d20 20 .text._ZNSs6appendEv"));
}

TEST(LinkMap, IsAskedForByName) {
  EXPECT_THROW(read_link_map("ELF"), Error);
}

TEST(FunctionOrder, NamesEachPieceSoThatOnlyItIsMeant) {
  const auto pieces = read_link_map(kMap);
  ASSERT_THAT(pieces, SizeIs(6));
  EXPECT_EQ(input_pattern(pieces[0]), "*rcrt1.o(.text)");
  EXPECT_EQ(input_pattern(pieces[1]), "*(.text._ZN5hutch4trimEv)");
  EXPECT_EQ(input_pattern(pieces[2]), "*libc.a:malloc.o(.text)");
  EXPECT_EQ(input_pattern(pieces[3]), "*libc.a:strlen-evex.o(.text.evex)");
  EXPECT_EQ(input_pattern(pieces[4]), "*libm-*.a:s_ceil.o(.text)");
  EXPECT_EQ(input_pattern(pieces[5]), "*libstdc++.a:string-inst.o(.text._ZNSs6appendEv)");
}

TEST(FunctionOrder, IsThatOfTheFirstUse) {
  const auto pieces = read_link_map(kMap);
  EXPECT_THAT(patterns_at(pieces, {0x1c10, 0x1305, 0x1c00, 0x1401, 0x1bff}),
              ElementsAre("*libc.a:strlen-evex.o(.text.evex)", "*(.text._ZN5hutch4trimEv)",
                          "*libc.a:malloc.o(.text)"));
}

TEST(FunctionOrder, PassesOverWhatIsInNoPiece) {
  EXPECT_THAT(patterns_at(read_link_map(kMap), {0x10, 0x12a2, 0x1340, 0x10010}), IsEmpty());
}

TEST(FunctionOrder, IsReadAsItWasWritten) {
  const std::vector<std::string> patterns = {"*rcrt1.o(.text)", "*(.text._ZN5hutch4trimEv)"};
  EXPECT_EQ(read_order(print_order(patterns)), patterns);
}

// A list that nobody renews would slowly lose its use.
TEST(FunctionOrder, KnowsMostOfTheProgram) {
  const auto map = read_file_if_exists(AT_FDCWD, HUTCH_PCT_MAP);
  if (!map) GTEST_SKIP() << "this build does not order its functions (cmake/HutchRoom.cmake)";
  std::set<std::string> present;
  for (const auto& piece : read_link_map(*map)) present.insert(input_pattern(piece));
  const auto patterns = read_order(read_file(AT_FDCWD, "cmake/function_order.ld"));
  const auto known = static_cast<std::size_t>(std::count_if(
      patterns.begin(), patterns.end(), [&](const auto& one) { return present.contains(one); }));
  EXPECT_GE(known * 10, patterns.size() * 9) << formatted(
      "{} of {} in cmake/function_order.ld are in the program: run bench/order", known, patterns.size());
}

}  // namespace
}  // namespace hutch::bench
