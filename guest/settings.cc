#include "guest/settings.h"

#include <fcntl.h>
#include <stdlib.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::guest {

void read_host_settings(const std::string& sysroot, GuestSettings& settings) {
  const std::string prefix = sysroot == "/" ? "" : sysroot;
  settings.host_resolv_conf = read_file_if_exists(AT_FDCWD, prefix + "/etc/resolv.conf").value_or("");
  if (settings.timezone != "host") return;
  struct Free {
    void operator()(char* text) const { ::free(text); }
  };
  const std::string link = prefix + "/etc/localtime";
  const std::unique_ptr<char, Free> path(::realpath(link.c_str(), nullptr));
  if (!path && errno != ENOENT) throw_errno(formatted("cannot resolve '{}'", link));
  settings.host_localtime = path ? path.get() : "";
}

}  // namespace hutch::guest
