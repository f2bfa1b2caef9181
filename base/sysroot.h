#pragma once

#include <string>
#include <string_view>

namespace hutch {

// Where Hutch's own host paths live: below HUTCH_ROOT or `--root DIR`, else below "/". Only paths that
// Hutch owns are relocated (config, storage, run files, caches), never the kernel's (/proc, /sys, /dev).
class Sysroot {
 public:
  Sysroot() = default;
  // A relative `root` is taken from the current directory; "" and "/" mean no relocation.
  explicit Sysroot(std::string_view root);
  // From the environment variable HUTCH_ROOT.
  static Sysroot from_environment();

  // `path` is given without the leading slash: path("run/hutch") is "/run/hutch" or "<root>/run/hutch".
  std::string path(std::string_view path) const { return prefix_ + "/" + std::string(path); }
  // "" when not relocated, else an absolute path without trailing slash.
  const std::string& prefix() const { return prefix_; }

 private:
  std::string prefix_;
};

}  // namespace hutch
