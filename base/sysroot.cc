#include "base/sysroot.h"

#include <cstdlib>
#include <filesystem>

namespace hutch {

Sysroot::Sysroot(std::string_view root) {
  if (root.empty()) return;
  prefix_ = std::filesystem::absolute(root).lexically_normal().string();
  while (!prefix_.empty() && prefix_.back() == '/') prefix_.pop_back();
}

Sysroot Sysroot::from_environment() {
  const char* root = ::getenv("HUTCH_ROOT");
  return Sysroot(root == nullptr ? std::string_view() : std::string_view(root));
}

}  // namespace hutch
