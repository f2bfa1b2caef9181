#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hutch {

// One archive member as it shall be on disk. Ids are the container's.
struct Member {
  enum class Type { file, directory, symlink, hard_link, fifo, socket, character_device, block_device };

  std::string path;  // as member_path() gives it
  Type type = Type::file;
  mode_t mode = 0;  // permission bits, 07777
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::uint64_t size = 0;  // of a file
  timespec mtime{};
  std::optional<timespec> atime;
  std::string link;  // text of a symlink; member path of a hard link's target
  dev_t device = 0;
  // Complete xattrs, name and value; ACLs are the kernel's "system.posix_acl_access" and "..._default".
  std::vector<std::pair<std::string, std::string>> xattrs;
};

}  // namespace hutch
