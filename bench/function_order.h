#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The order in which the linker puts the functions of `pct`: those that a start needs stand together, since
// the kernel maps sixteen pages with each page fault (docs/performance.md).
namespace hutch::bench {

// A section with code, as the linker took it from an object file.
struct CodePiece {
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // above 0
  std::string section;     // ".text._ZN5hutch4trimE..." with -ffunction-sections, ".text" without
  std::string file;        // "/usr/lib/x86_64-linux-gnu/libc.a(malloc.o)"
};

// What GNU ld's map (ld(1), -Map) says of sections .text*, by address. What the linker left out is not in it.
// Throws Error for a text that is no such map.
std::vector<CodePiece> read_link_map(std::string_view text);

// How a linker script names the piece: "*(.text._ZN5hutch4trimE...)" where the section's name says it all,
// "*libc.a:malloc.o(.text)" where each object of an archive has one of that name.
std::string input_pattern(const CodePiece& piece);

// The patterns of the pieces that hold these addresses, each once, in the order of the addresses. Those in no
// piece (the linker's own code) are passed over.
std::vector<std::string> patterns_at(const std::vector<CodePiece>& pieces,
                                     const std::vector<std::uint64_t>& addresses);

// A linker script (ld, "INSERT") that puts these in front of all other code, and the patterns of such a
// script.
std::string print_order(const std::vector<std::string>& patterns);
std::vector<std::string> read_order(std::string_view script);

}  // namespace hutch::bench
