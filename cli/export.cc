#include "config/formats/export.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/container_file.h"
#include "cli/import.h"
#include "cli/lowering_context.h"

namespace hutch::cli {

namespace {

// The policy file's name is written into the config, so it has to hold from anywhere.
std::string absolute_path(const std::string& path) {
  if (path.starts_with('/')) return path;
  char buffer[PATH_MAX];
  if (::getcwd(buffer, sizeof buffer) == nullptr) throw_errno("cannot tell the current directory");
  return formatted("{}/{}", buffer, path);
}

config::Exported export_config(const config::ContainerConfig& config, const config::LoweringContext& lowering,
                               const std::string& format, const std::string& policy_path) {
  if (format == "lxc") return config::export_lxc(config, lowering, policy_path);
  if (format == "libvirt") return config::export_libvirt(config, lowering);
  throw Error(formatted("'{}' is no format that can be exported", format), 0, "use lxc or libvirt",
              {"--format"});
}

void write_policy(const std::string& output, const std::string& policy_path, const std::string& policy) {
  struct stat status {};
  if (::stat(output.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw Error(formatted("'{}' is no file beside which the seccomp policy could lie", output), 0,
                "give the name of a file", {"--output"});
  }
  replace_file(AT_FDCWD, policy_path, policy, 0644);
}

}  // namespace

int export_container(CommandContext& context) {
  const auto format = context.options().value("format");
  if (!format) throw Error("the format is missing", 0, "give --format lxc or --format libvirt");
  const ConfigStore store(context.sysroot());
  const auto config = load_config(context, store, context.vmid());
  const auto output = context.options().value("output");
  const std::string path = output ? absolute_path(*output) : std::string();
  const std::string policy_path = output ? path + ".seccomp" : std::string();
  const auto exported =
      export_config(config, make_lowering_context(context.sysroot(), context.vmid()), *format, policy_path);
  if (output) {
    if (!exported.seccomp_policy.empty()) write_policy(path, policy_path, exported.seccomp_policy);
    write_output_file(path, exported.text, 0644);
  } else {
    context.print(exported.text);
  }
  for (const auto& diagnostic : exported.diagnostics) {
    const std::string line = formatted("{}{}not expressed: {}", diagnostic.origin.text(),
                                       diagnostic.origin.empty() ? "" : ": ", diagnostic.message);
    std::fprintf(context.err(), "%s\n", terminal_safe(line).c_str());
  }
  return 0;
}

}  // namespace hutch::cli
