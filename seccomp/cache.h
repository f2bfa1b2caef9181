#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/origin.h"
#include "seccomp/compile.h"

// Compiled programs, kept by content. A cached start costs one open, fstat and read and never enters
// libseccomp.
namespace hutch::seccomp {

// The program of a policy for the native architecture, from `cache_directory` (absolute; made when
// missing) or compiled and stored there (mode 0600, replaced atomically).
//
// A file counts only if it is a regular file of root's that nobody else may write, its checksum holds, and it
// was made from exactly this policy text by this libseccomp and this version of Hutch. Anything else there is
// ignored and replaced. A directory that cannot be written (EROFS, EACCES, ENOSPC) costs the compilation
// again next time and nothing else; other errors throw. Errors in the policy: see parse_policy and compile.
BpfProgram load_or_compile(const std::string& policy_text, const Origin& origin,
                           const std::string& cache_directory, Notify notify = Notify::refuse);

// The file name within the cache directory: "<16 hex digits>.bpf". Depends on everything that the program
// depends on: policy, libseccomp's version, architecture, format.
std::string cache_file_name(std::string_view policy_text);

// The content of a cache file. It holds the policy itself too, so that two policies with one name (the hash
// is not cryptographic) can never be taken for each other.
std::string encode_cache_file(std::string_view policy_text, const BpfProgram& program);
// Nothing unless `content` is whole, unchanged, and belongs to this policy and this libseccomp.
std::optional<BpfProgram> decode_cache_file(std::string_view content, std::string_view policy_text);

}  // namespace hutch::seccomp
