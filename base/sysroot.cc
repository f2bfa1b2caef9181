#include "base/sysroot.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"

namespace hutch {

namespace {

std::string current_directory() {
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr) throw_errno("cannot get the current directory");
  return path;
}

}  // namespace

// By hand: std::filesystem would bring 50 kB of it, and every locale of the C++ library, into pct.
Sysroot::Sysroot(std::string_view root) {
  if (root.empty()) return;
  const std::string absolute =
      root.starts_with('/') ? std::string(root) : current_directory() + "/" + std::string(root);
  for (const auto part : split(absolute, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      prefix_.erase(prefix_.empty() ? 0 : prefix_.rfind('/'));
    } else {
      prefix_.append("/").append(part);
    }
  }
}

Sysroot Sysroot::from_environment() {
  const char* root = ::getenv("HUTCH_ROOT");
  return Sysroot(root == nullptr ? std::string_view() : std::string_view(root));
}

}  // namespace hutch
