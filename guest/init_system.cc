#include "guest/init_system.h"

#include <string>

#include "base/format.h"

namespace hutch::guest {

namespace {

constexpr std::string_view kLibrary = "libsystemd-shared-";
// The dynamic string table, which names the linked libraries, lies near the start of an ELF file: a first
// piece finds it in practice; older systemd binaries are some MiB long.
constexpr std::size_t kFirstPiece = 64U << 10;
constexpr std::size_t kWholeFile = 16U << 20;
// cgroup v2 is supported from systemd 232 on; services are sandboxed with mounts of their own since 242.
constexpr int kFirstWithCgroup2 = 232;
constexpr int kLastWithoutNesting = 241;

std::optional<int> linked_version(std::string_view program) {
  for (auto at = program.find(kLibrary); at != std::string_view::npos; at = program.find(kLibrary, at + 1)) {
    int version = 0;
    std::size_t digits = 0;
    const auto number = program.substr(at + kLibrary.size());
    while (digits < number.size() && digits < 6 && number[digits] >= '0' && number[digits] <= '9') {
      version = version * 10 + (number[digits++] - '0');
    }
    if (digits > 0 && digits < number.size()) return version;
  }
  return std::nullopt;
}

}  // namespace

InitSystem detect_init(const GuestRoot& root) {
  static const std::string kInit = "/sbin/init";
  InitSystem init;
  const auto target = root.resolved_path(kInit);
  init.systemd = target && target->ends_with("/systemd");
  if (!init.systemd) return init;
  for (const std::size_t piece : {kFirstPiece, kWholeFile}) {
    const auto program = root.read_start(kInit, piece);
    if (!program) break;
    init.systemd_version = linked_version(*program);
    if (init.systemd_version || program->size() < piece) break;
  }
  return init;
}

void check_nesting(const InitSystem& init, bool nesting, Report& report) {
  if (nesting || !init.systemd_version || *init.systemd_version <= kLastWithoutNesting) return;
  report.warn(formatted(
      "systemd {} is in the container, whose sandboxed services need nesting; consider --features nesting=1",
      *init.systemd_version));
}

void check_cgroup_v2(const InitSystem& init, OsType type, Report& report) {
  if (type == OsType::alpine || type == OsType::devuan || type == OsType::unmanaged) return;
  if (init.systemd_version && *init.systemd_version >= kFirstWithCgroup2) return;
  report.warn(
      init.systemd_version
          ? formatted(
                "the container's systemd {} does not support cgroup v2, which it is given; it may fail to "
                "start services (systemd {} or newer is needed)",
                *init.systemd_version, kFirstWithCgroup2)
          : std::string(
                "the container's init is no systemd of a known version; it may not support cgroup v2, "
                "which it is given"));
}

}  // namespace hutch::guest
