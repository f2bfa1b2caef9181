#include "runtime/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/state.h"

namespace hutch {

namespace {

struct KindRow {
  NamespaceKind kind;
  const char* file;
  std::uint64_t flag;
};
constexpr KindRow kKinds[] = {
    {NamespaceKind::user, "user", CLONE_NEWUSER},       {NamespaceKind::mount, "mnt", CLONE_NEWNS},
    {NamespaceKind::pid, "pid", CLONE_NEWPID},          {NamespaceKind::uts, "uts", CLONE_NEWUTS},
    {NamespaceKind::ipc, "ipc", CLONE_NEWIPC},          {NamespaceKind::net, "net", CLONE_NEWNET},
    {NamespaceKind::cgroup, "cgroup", CLONE_NEWCGROUP}, {NamespaceKind::time, "time", CLONE_NEWTIME},
};

const KindRow& row_of(NamespaceKind kind) {
  return *std::find_if(std::begin(kKinds), std::end(kKinds),
                       [kind](const auto& row) { return row.kind == kind; });
}

UniqueFd open_of_process(pid_t pid, const SharedNamespace& shared) {
  return open_file(AT_FDCWD, formatted("/proc/{}/ns/{}", pid, namespace_file(shared.kind)), O_RDONLY);
}

UniqueFd open_of_container(const SharedNamespace& shared, const Sysroot& sysroot) {
  const auto state = find_running(sysroot, shared.id);
  const auto not_running = [&] {
    return Error(formatted("cannot join {}: the container does not run", describe(shared)), 0,
                 formatted("start CT {} first", shared.id));
  };
  if (!state) throw not_running();
  UniqueFd space = open_of_process(state->init.pid, shared);
  // Looked at again: until here the number may have become another process's.
  if (!is_alive(state->init)) throw not_running();
  return space;
}

using Rows = std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>>;

Rows rows_of_kernel(pid_t pid, const char* file) {
  const std::string text = read_file(AT_FDCWD, formatted("/proc/{}/{}", pid, file));
  Rows rows;
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() != 3) continue;
    rows.emplace_back(parse_unsigned(words[0]).value_or(0), parse_unsigned(words[1]).value_or(0),
                      parse_unsigned(words[2]).value_or(0));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Rows rows_of_map(const std::vector<IdRange>& ranges) {
  Rows rows;
  for (const auto& range : ranges) rows.emplace_back(range.inside, range.host, range.count);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

const char* namespace_file(NamespaceKind kind) {
  return row_of(kind).file;
}

std::uint64_t clone_flag(NamespaceKind kind) {
  return row_of(kind).flag;
}

std::string describe(const SharedNamespace& shared) {
  const char* kind = namespace_file(shared.kind);
  switch (shared.target) {
    case SharedNamespace::Target::container: return formatted("the {} namespace of CT {}", kind, shared.id);
    case SharedNamespace::Target::process:
      return formatted("the {} namespace of process {}", kind, shared.id);
    case SharedNamespace::Target::path: break;
  }
  return formatted("the {} namespace {}", kind, shared.path);
}

UniqueFd open_namespace(const SharedNamespace& shared, const Sysroot& sysroot) {
  UniqueFd space;
  switch (shared.target) {
    case SharedNamespace::Target::container: space = open_of_container(shared, sysroot); break;
    case SharedNamespace::Target::process:
      space = open_of_process(static_cast<pid_t>(shared.id), shared);
      break;
    case SharedNamespace::Target::path: space = open_file(AT_FDCWD, shared.path, O_RDONLY); break;
  }
  // ENOTTY: some other file.
  const int flag = ::ioctl(space.get(), NS_GET_NSTYPE);
  if (flag < 0 && errno != ENOTTY) throw_errno(formatted("cannot look at {}", describe(shared)));
  if (flag != static_cast<int>(clone_flag(shared.kind))) {
    throw Error(formatted("'{}' is no {} namespace", shared.path, namespace_file(shared.kind)), EINVAL);
  }
  return space;
}

UniqueFd filesystem_of_namespace(const std::string& type, std::uint64_t attributes, NamespaceKind kind,
                                 int joined) {
  if (joined < 0) return new_filesystem(type, {}, attributes);
  // setns(2) into a pid namespace is for children: the procfs would show the host's processes.
  if (kind == NamespaceKind::pid) throw Error("cannot make a procfs of another pid namespace", EOPNOTSUPP);
  const int flag = static_cast<int>(clone_flag(kind));
  const UniqueFd home =
      open_file(AT_FDCWD, formatted("/proc/thread-self/ns/{}", namespace_file(kind)), O_RDONLY);
  check(::setns(joined, flag), "cannot enter the shared namespace");
  // Where this thread goes on must not depend on how the mount went.
  const auto go_home = [&] { check(::setns(home.get(), flag), "cannot return to the host's namespace"); };
  UniqueFd mount;
  try {
    mount = new_filesystem(type, {}, attributes);
  } catch (const Error&) {
    go_home();
    throw;
  }
  go_home();
  return mount;
}

void check_id_maps(pid_t pid, const IdMap& map) {
  const auto compare = [pid](const char* file, const std::vector<IdRange>& ranges) {
    if (rows_of_kernel(pid, file) == rows_of_map(ranges)) return;
    throw Error(formatted("the {} of the shared user namespace is not the container's own", file), EINVAL,
                "give both the same id map (lxc.idmap)");
  };
  compare("uid_map", map.uids);
  compare("gid_map", map.gids);
}

}  // namespace hutch
