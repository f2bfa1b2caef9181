#include "runtime/capabilities.h"

#include <sys/capability.h>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

// The bit of one listed capability; 0 for one that the kernel does not have.
std::uint64_t listed_bit(const Located<std::string>& entry, unsigned last_cap) {
  if (const auto number = parse_unsigned(entry.value)) {
    if (*number <= last_cap) return std::uint64_t{1} << *number;
    throw Error(formatted("cannot use capability {}", *number), 0,
                formatted("this kernel's capabilities are 0 to {}", last_cap), entry.origin);
  }
  const auto number = capability_number(entry.value);
  if (!number) {
    throw Error(formatted("unknown capability '{}'", entry.value), 0,
                "write names as in capabilities(7), lower case and without CAP_, such as sys_time",
                entry.origin);
  }
  return *number <= last_cap ? std::uint64_t{1} << *number : 0;
}

}  // namespace

unsigned last_capability() {
  const int bits = ::cap_max_bits();
  if (bits < 1 || bits > 64) throw Error(formatted("cannot use {} capabilities", bits));
  return static_cast<unsigned>(bits) - 1;
}

std::optional<unsigned> capability_number(std::string_view name) {
  // libcap takes numbers and upper case too; config files do not mean them.
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string_view::npos) {
    return std::nullopt;
  }
  cap_value_t value = 0;
  if (::cap_from_name(formatted("cap_{}", name).c_str(), &value) < 0) return std::nullopt;
  return static_cast<unsigned>(value);
}

std::string capability_name(unsigned number) {
  char* const name = ::cap_to_name(static_cast<cap_value_t>(number));
  if (name == nullptr) throw_errno(formatted("cannot name capability {}", number));
  std::string text = name;
  ::cap_free(name);
  constexpr std::string_view prefix = "cap_";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

std::uint64_t needed_on_the_way_in() {
  std::uint64_t bits = 0;
  for (const int number :
       {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETGID, CAP_SETUID,
        CAP_SETPCAP, CAP_NET_ADMIN, CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_SYS_RESOURCE}) {
    bits |= std::uint64_t{1} << number;
  }
  return bits;
}

std::uint64_t bounding_set_to_drop(const CapabilitySpec& spec, unsigned last_cap) {
  if (last_cap > 63) throw Error(formatted("cannot handle {} capabilities", last_cap + 1));
  const std::uint64_t all = ~std::uint64_t{0} >> (63 - last_cap);
  std::uint64_t listed = 0;
  for (const auto& entry : spec.keep ? *spec.keep : spec.drop) {
    if (spec.keep && entry.value == "none") continue;
    listed |= listed_bit(entry, last_cap);
  }
  return spec.keep ? all & ~listed : listed;
}

}  // namespace hutch
