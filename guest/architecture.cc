#include "guest/architecture.h"

#include <elf.h>

#include <array>
#include <optional>

#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

struct Machine {
  unsigned number;      // e_machine
  unsigned char width;  // e_ident[EI_CLASS], 0 for any
  const char* name;
};

constexpr std::array<Machine, 6> kMachines{{{EM_386, 0, "i386"},
                                            {EM_X86_64, 0, "amd64"},
                                            {EM_ARM, 0, "armhf"},
                                            {EM_AARCH64, 0, "arm64"},
                                            {EM_RISCV, ELFCLASS32, "riscv32"},
                                            {EM_RISCV, ELFCLASS64, "riscv64"}}};

std::string shell_path(const GuestRoot& root, OsType type) {
  if (type != OsType::nixos) return "/bin/sh";
  const auto start = root.read_start("/sbin/init", 512);
  if (!start || !start->starts_with("#!")) return "/sbin/init";
  const auto words = split_blanks(std::string_view(*start).substr(2, start->find('\n') - 2));
  return words.empty() ? "/sbin/init" : std::string(words[0]);
}

std::optional<std::string> architecture_of(std::string_view header) {
  constexpr std::size_t kMachineAt = 18;  // elf(5): e_ident[16], e_type, e_machine
  if (header.size() < kMachineAt + 2 || !header.starts_with(ELFMAG)) return std::nullopt;
  const auto byte = [&](std::size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(header[at]));
  };
  const bool little = byte(EI_DATA) == ELFDATA2LSB;
  const unsigned machine =
      byte(little ? kMachineAt : kMachineAt + 1) | byte(little ? kMachineAt + 1 : kMachineAt) << 8;
  for (const auto& known : kMachines) {
    if (known.number == machine && (known.width == 0 || known.width == byte(EI_CLASS))) return known.name;
  }
  return std::nullopt;
}

}  // namespace

std::string detect_architecture(const GuestRoot& root, OsType type, Report& report) {
  const std::string shell = shell_path(root, type);
  const auto header = root.read_start(shell, 64);
  const auto architecture = header ? architecture_of(*header) : std::nullopt;
  if (architecture) {
    report.print(formatted("Detected container architecture: {}", *architecture));
    return *architecture;
  }
  report.warn(formatted("cannot detect the container's architecture: '{}' {}. Falling back to amd64.", shell,
                        header ? "is no program for a known machine" : "is missing"));
  return "amd64";
}

}  // namespace hutch::guest
