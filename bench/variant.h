#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hutch::bench {

enum class RootfsKind { directory, image, overlay };

// One way to start the benchmark container: what is switched off, and what the rootfs is.
struct Variant {
  std::string name;  // as --variants and the results have it
  bool network = true;
  bool limits = true;
  bool seccomp = true;
  bool privileged = false;
  RootfsKind rootfs = RootfsKind::directory;
  unsigned number = 0;  // place in the table
};

// All of them; the first is "base", the benchmark container itself.
const std::vector<Variant>& variant_table();

// Throws Error naming the known ones.
const Variant& find_variant(std::string_view name);

}  // namespace hutch::bench
