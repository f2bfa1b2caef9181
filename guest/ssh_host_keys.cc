#include "guest/ssh_host_keys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

std::string key_name(const char* type) {
  return formatted("ssh_host_{}_key", type);
}

// The line behind "The key fingerprint is:" in ssh-keygen's output: fingerprint and comment.
std::string fingerprint(const std::string& output) {
  const auto lines = split(output, '\n');
  const auto title = std::find(lines.begin(), lines.end(), std::string_view("The key fingerprint is:"));
  return title == lines.end() || title + 1 == lines.end() ? "" : std::string(trim(*(title + 1)));
}

// Nothing when the host has no ssh-keygen.
std::optional<ProgramResult> result_of(RunningProgram& maker) {
  try {
    return maker.wait();
  } catch (const Error& failed) {
    if (failed.error_number() == ENOENT) return std::nullopt;
    throw;
  }
}

}  // namespace

// A private directory on the host, removed with its files.
class SshHostKeys::Directory {
 public:
  Directory() {
    std::string path = "/tmp/hutch-ssh-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw_errno("cannot create a temporary directory below /tmp");
    path_ = path;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
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

SshHostKeys::SshHostKeys(std::string_view short_name, std::string program)
    : comment_(formatted("root@{}", short_name)), program_(std::move(program)) {}

SshHostKeys::~SshHostKeys() {
  drop();
}

std::string SshHostKeys::file(const char* type) const {
  return directory_->path() + "/" + key_name(type);
}

void SshHostKeys::begin() {
  directory_ = std::make_unique<Directory>();
  ProgramOptions options;
  // Whoever dies without running destructors (SIGKILL) must not leave a search behind that nobody waits for.
  options.before_exec = [starter = ::getpid()] {
    check(::prctl(PR_SET_PDEATHSIG, SIGKILL), "cannot tie ssh-keygen to its starter");
    if (::getppid() != starter) throw Error("the starter has ended", ESRCH);
  };
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    const std::vector<std::string> argv{program_, "-t",     kTypes[i], "-N",           "",
                                        "-C",     comment_, "-f",      file(kTypes[i])};
    makers_[i].emplace(argv, options);
  }
}

void SshHostKeys::drop() {
  // The programs first: they write into the directory.
  for (auto& maker : makers_) maker.reset();
  directory_.reset();
}

void SshHostKeys::begin_where_wanted(const GuestRoot& root) noexcept {
  if (begun()) return;
  try {
    if (root.is_directory("/etc/ssh")) begin();
  } catch (const std::exception&) {
    drop();
  }
}

void SshHostKeys::write(const GuestRoot& root, Report& report) {
  if (!root.is_directory("/etc/ssh")) return;
  if (!begun()) begin();
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    const std::string name = key_name(kTypes[i]);
    report.print(formatted("Creating SSH host key '{}' - this may take some time ...", name));
    const auto result = result_of(*makers_[i]);
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
    root.write("/etc/ssh/" + name, read_file(AT_FDCWD, file(kTypes[i])), 0600);
    root.write("/etc/ssh/" + name + ".pub", read_file(AT_FDCWD, file(kTypes[i]) + ".pub"), 0644);
    report.print("done: " + fingerprint(result->out));
  }
}

}  // namespace hutch::guest
