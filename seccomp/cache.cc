#include "seccomp/cache.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::seccomp {

namespace {

// Raised whenever compile() or the layout below changes its meaning.
constexpr std::uint32_t format_version = 1;

// The header of a cache file; the policy text and the instructions follow. Host byte order: a file never
// leaves the machine, and `made_for` names the architecture.
struct Header {
  std::array<char, 8> magic{'H', 'U', 'T', 'C', 'H', 'B', 'P', 'F'};
  std::uint32_t format = format_version;
  // The header's version is the archive's: both come from one package and are linked statically.
  std::uint32_t libseccomp = (SCMP_VER_MAJOR << 16) | (SCMP_VER_MINOR << 8) | SCMP_VER_MICRO;
  std::uint32_t made_for = static_cast<std::uint32_t>(native_architecture());
  std::uint32_t policy_bytes = 0;
  std::uint32_t instructions = 0;
  std::uint32_t reserved = 0;
  std::uint64_t checksum = 0;  // of everything else

  bool operator==(const Header&) const = default;
};
static_assert(sizeof(Header) == 40);
static_assert(sizeof(sock_filter) == 8);

std::string_view bytes_of(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

std::uint64_t checksum(Header header, std::string_view body) {
  header.checksum = 0;
  return fnv1a(body, fnv1a(bytes_of(header)));
}

// Reads the program, unless anything about the file is not as load_or_compile wrote it.
std::optional<BpfProgram> load(const std::string& path, std::string_view policy_text) {
  // O_NONBLOCK: the open of a FIFO in the file's place must return.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    // Not there, a symlink, or not ours to read: compiling is always as safe.
    if (errno == ENOENT || errno == ELOOP || errno == EACCES) return std::nullopt;
    throw_errno(formatted("cannot open '{}'", path));
  }
  struct stat status {};
  check(::fstat(file.get(), &status), formatted("cannot stat '{}'", path));
  const std::size_t least = sizeof(Header) + policy_text.size();
  const std::size_t most = least + BPF_MAXINSNS * sizeof(sock_filter);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
      size < least || size > most) {
    return std::nullopt;
  }
  std::string content(size, '\0');
  const ssize_t count = ::read(file.get(), content.data(), size);
  if (count < 0) throw_errno(formatted("cannot read '{}'", path));
  content.resize(static_cast<std::size_t>(count));
  return decode_cache_file(content, policy_text);
}

// The result of a start does not depend on whether the program could be kept.
void store(const std::string& directory, const std::string& path, std::string_view content) {
  try {
    make_directories(directory);
    replace_file(AT_FDCWD, path, content, 0600);
  } catch (const Error& error) {
    const int number = error.error_number();
    if (number != EROFS && number != EACCES && number != ENOSPC) throw;
  }
}

}  // namespace

std::string cache_file_name(std::string_view policy_text) {
  Header header;
  header.policy_bytes = static_cast<std::uint32_t>(policy_text.size());
  return formatted("{:016x}.bpf", checksum(header, policy_text));
}

std::string encode_cache_file(std::string_view policy_text, const BpfProgram& program) {
  Header header;
  header.policy_bytes = static_cast<std::uint32_t>(policy_text.size());
  header.instructions = static_cast<std::uint32_t>(program.size());
  std::string body(policy_text);
  body.append(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
  header.checksum = checksum(header, body);
  return std::string(bytes_of(header)) + body;
}

std::optional<BpfProgram> decode_cache_file(std::string_view content, std::string_view policy_text) {
  Header header;
  if (content.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, content.data(), sizeof header);
  const std::string_view body = content.substr(sizeof header);

  Header expected;
  expected.policy_bytes = static_cast<std::uint32_t>(policy_text.size());
  expected.instructions = header.instructions;
  expected.checksum = header.checksum;
  const std::size_t program_bytes = std::size_t{header.instructions} * sizeof(sock_filter);
  if (header != expected || body.size() != policy_text.size() + program_bytes || header.instructions == 0 ||
      !body.starts_with(policy_text) || checksum(header, body) != header.checksum) {
    return std::nullopt;
  }
  BpfProgram program(header.instructions);
  std::memcpy(program.data(), body.data() + policy_text.size(), program_bytes);
  return program;
}

BpfProgram load_or_compile(const std::string& policy_text, const Origin& origin,
                           const std::string& cache_directory, Notify notify) {
  // One policy has two programs; the comment tells them apart.
  const std::string key = notify == Notify::forward ? policy_text + "\n# forward\n" : policy_text;
  const std::string path = cache_directory + "/" + cache_file_name(key);
  if (auto cached = load(path, key)) return std::move(*cached);
  BpfProgram program = compile(parse_policy(policy_text, origin), native_architecture(), notify);
  store(cache_directory, path, encode_cache_file(key, program));
  return program;
}

}  // namespace hutch::seccomp
