#include "storage/id_coverage.h"

#include <fcntl.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "storage/member_path.h"

namespace hutch {

IdCoverage::IdCoverage(std::string_view uid_map, std::string_view gid_map)
    : uids_(parse(uid_map)), gids_(parse(gid_map)) {}

IdCoverage IdCoverage::of_this_process() {
  return {read_file(AT_FDCWD, "/proc/self/uid_map"), read_file(AT_FDCWD, "/proc/self/gid_map")};
}

IdCoverage::Ranges IdCoverage::parse(std::string_view text) {
  Ranges ranges;
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.empty()) continue;
    const auto first = parse_signed(words.front());
    const auto count = parse_signed(words.back());
    if (words.size() != 3 || !first || !count)
      throw Error(formatted("cannot read the id map line '{}'", line));
    ranges.emplace_back(*first, *count);
  }
  return ranges;
}

void IdCoverage::require(const Ranges& ranges, std::string_view kind, std::int64_t id,
                         std::string_view path) {
  for (const auto& [first, count] : ranges) {
    if (id >= first && id - first < count) return;
  }
  throw Error(formatted("{} {} of '{}' is not mapped", kind, id, printable(path)), EINVAL,
              "give the container a larger id map, or make the archive with ids that it covers");
}

}  // namespace hutch
