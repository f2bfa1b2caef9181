#include "guest/ssh_keys.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "guest/marked_section.h"

namespace hutch::guest {

namespace {

// Nothing when the host has no ssh-keygen.
std::optional<ProgramResult> run_keygen(const std::vector<std::string>& arguments, std::string input = {}) {
  std::vector<std::string> argv{"ssh-keygen"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  try {
    return run_program(argv, {.input = std::move(input)});
  } catch (const Error& failed) {
    if (failed.error_number() == ENOENT) return std::nullopt;
    throw;
  }
}

// root's home directory in passwd(5); "" when there is none.
std::string root_home(const GuestRoot& root) {
  constexpr std::size_t kHome = 5;
  const std::string passwd = root.read("/etc/passwd").value_or("");
  for (const auto line : split(passwd, '\n')) {
    if (!line.starts_with("root:")) continue;
    const auto fields = split(line, ':');
    return fields.size() > kHome ? std::string(fields[kHome]) : "";
  }
  return "";
}

}  // namespace

void validate_ssh_public_keys(std::string_view keys, Report& report) {
  int number = 0;
  for (const auto raw : split(keys, '\n')) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.starts_with('#')) continue;
    const auto result = run_keygen({"-l", "-f", "-"}, std::string(line) + "\n");
    if (!result) {
      report.warn("the SSH public keys are not checked: the host has no ssh-keygen; install openssh-client");
      return;
    }
    if (!result->succeeded()) {
      throw Error(formatted("line {} of the SSH public keys is no public key", number), 0,
                  formatted("ssh-keygen says: {}", trim(result->err.empty() ? result->out : result->err)));
    }
  }
}

void write_authorized_keys(const GuestRoot& root, std::string_view keys, Report& report) {
  if (trim(keys).empty()) return;
  const std::string home = root_home(root);
  if (home.empty() || !root.is_directory(home)) {
    report.warn(formatted(
        "root's SSH keys are not written: the container has no home directory '{}' for root", home));
    return;
  }
  const std::string directory = (home == "/" ? "" : home) + "/.ssh";
  root.make_directories(directory, 0700);
  write_section(root, directory + "/authorized_keys", keys, SectionPlace::append, false, 0700);
}

}  // namespace hutch::guest
