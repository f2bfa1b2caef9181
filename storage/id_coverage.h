#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hutch {

// Which ids exist in this process's user namespace, so that a member with another one is reported by its
// number (the kernel only says EINVAL, and keeps such a file's creator as its owner when asked for id -1).
class IdCoverage {
 public:
  // From the text of /proc/self/uid_map and gid_map (user_namespaces(7)): "<inside> <outside> <count>" lines.
  IdCoverage(std::string_view uid_map, std::string_view gid_map);
  static IdCoverage of_this_process();

  // Throw "uid 70000 of 'path' is not mapped ..." (EINVAL).
  void require_uid(std::int64_t uid, std::string_view path) const { require(uids_, "uid", uid, path); }
  void require_gid(std::int64_t gid, std::string_view path) const { require(gids_, "gid", gid, path); }

 private:
  using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;  // first id, count
  static Ranges parse(std::string_view text);
  static void require(const Ranges& ranges, std::string_view kind, std::int64_t id, std::string_view path);

  Ranges uids_;
  Ranges gids_;
};

}  // namespace hutch
