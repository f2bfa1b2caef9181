#include "guest/ssh_keys.h"

#include <fcntl.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
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

// A private directory on the host, removed with its files.
class PrivateDirectory {
 public:
  PrivateDirectory() {
    std::string path = "/tmp/hutch-ssh-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw_errno("cannot create a temporary directory below /tmp");
    path_ = path;
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory() {
    try {
      remove_tree(AT_FDCWD, path_);
    } catch (const Error&) {
      // A destructor cannot report; what may stay is an unused key readable by root alone.
    }
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

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

// The line behind "The key fingerprint is:" in ssh-keygen's output: fingerprint and comment.
std::string fingerprint(const std::string& output) {
  const auto lines = split(output, '\n');
  const auto title = std::find(lines.begin(), lines.end(), std::string_view("The key fingerprint is:"));
  return title == lines.end() || title + 1 == lines.end() ? "" : std::string(trim(*(title + 1)));
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

void write_ssh_host_keys(const GuestRoot& root, std::string_view short_name, Report& report) {
  if (!root.is_directory("/etc/ssh")) return;
  const PrivateDirectory directory;
  for (const char* type : {"rsa", "ecdsa", "ed25519"}) {
    const std::string name = formatted("ssh_host_{}_key", type);
    const std::string file = directory.path() + "/" + name;
    report.print(formatted("Creating SSH host key '{}' - this may take some time ...", name));
    const auto result =
        run_keygen({"-t", type, "-N", "", "-C", formatted("root@{}", short_name), "-f", file});
    if (!result) {
      report.lines.pop_back();
      report.warn(
          "the container keeps its template's SSH host keys, if any: the host has no ssh-keygen; install "
          "openssh-client, or run 'ssh-keygen -A' inside the container after removing /etc/ssh/ssh_host_*");
      return;
    }
    if (!result->succeeded()) {
      throw Error(formatted("ssh-keygen cannot make the host key '{}': {}: {}", name, result->status_text(),
                            trim(result->err)));
    }
    root.write("/etc/ssh/" + name, read_file(AT_FDCWD, file), 0600);
    root.write("/etc/ssh/" + name + ".pub", read_file(AT_FDCWD, file + ".pub"), 0644);
    report.print("done: " + fingerprint(result->out));
  }
}

}  // namespace hutch::guest
