#include "runtime/rlimit.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

struct Row {
  std::string_view name;
  int resource;
};

constexpr std::array<Row, 16> rows = {{
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
}};

}  // namespace

std::optional<int> rlimit_resource(std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
  if (row == rows.end()) return std::nullopt;
  return row->resource;
}

Rlimit resolve_rlimit(const RlimitSpec& spec) {
  const auto resource = rlimit_resource(spec.name);
  if (!resource) {
    std::vector<std::string> names;
    for (const auto& row : rows) names.emplace_back(row.name);
    throw Error(formatted("unknown resource limit '{}'", spec.name), 0,
                formatted("resource limits are {}", join(names, " ")), spec.origin);
  }
  const rlimit limit{spec.soft.value_or(RLIM_INFINITY), spec.hard.value_or(RLIM_INFINITY)};
  if (limit.rlim_cur > limit.rlim_max) {
    throw Error(formatted("the soft limit of '{}' is above its hard limit", spec.name), 0,
                "write both as soft:hard with soft <= hard", spec.origin);
  }
  return {*resource, limit};
}

std::string print_rlimit(const Rlimit& limit) {
  return formatted("{} {} {}", limit.resource, limit.limit.rlim_cur, limit.limit.rlim_max);
}

Rlimit parse_rlimit(std::string_view text) {
  const auto words = split_blanks(text);
  std::vector<std::uint64_t> numbers;
  for (const auto word : words) {
    if (const auto number = parse_unsigned(word)) numbers.push_back(*number);
  }
  if (words.size() != 3 || numbers.size() != 3 || numbers[0] >= RLIM_NLIMITS) {
    throw Error(formatted("'{}' is no resource limit of a state record", text), EINVAL);
  }
  return {static_cast<int>(numbers[0]), {numbers[1], numbers[2]}};
}

}  // namespace hutch
