#include "bench/variant.h"

#include "base/error.h"
#include "base/format.h"

namespace hutch::bench {

namespace {

std::vector<Variant> make_table() {
  std::vector<Variant> table = {
      {.name = "base"},
      {.name = "no-network", .network = false},
      {.name = "no-limits", .limits = false},
      {.name = "no-seccomp", .seccomp = false},
      {.name = "privileged", .privileged = true},
      {.name = "image-rootfs", .rootfs = RootfsKind::image},
      {.name = "overlay-rootfs", .rootfs = RootfsKind::overlay},
  };
  unsigned number = 0;
  for (auto& variant : table) variant.number = number++;
  return table;
}

}  // namespace

const std::vector<Variant>& variant_table() {
  static const std::vector<Variant> table = make_table();
  return table;
}

const Variant& find_variant(std::string_view name) {
  std::string known;
  for (const auto& variant : variant_table()) {
    if (variant.name == name) return variant;
    known += (known.empty() ? "" : ", ") + variant.name;
  }
  throw Error(formatted("cannot use the variant '{}'", name), 0, "known are: " + known);
}

}  // namespace hutch::bench
