#include "base/helper_program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch {

std::string helper_program_path(std::string_view name, std::string_view build_folder) {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink("/proc/self/exe", target.data(), target.size());
  if (length < 0) throw_errno("cannot find this program's own file");
  const std::string own(target.data(), static_cast<std::size_t>(length));
  const std::string directory = own.substr(0, own.rfind('/'));
  std::string tried;
  for (const auto& relative : {std::string("../libexec/hutch"), std::string("."),
                               formatted("../{}", build_folder), formatted("../../{}", build_folder)}) {
    const std::string path = relative == "." ? formatted("{}/{}", directory, name)
                                             : formatted("{}/{}/{}", directory, relative, name);
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0)
      return path;
    tried += (tried.empty() ? "" : ", ") + path;
  }
  throw Error(formatted("cannot find the program '{}'", name), ENOENT, formatted("looked for {}", tried));
}

}  // namespace hutch
