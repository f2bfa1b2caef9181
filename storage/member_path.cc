#include "storage/member_path.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

std::string member_path(std::string_view raw, std::string_view what) {
  if (raw.starts_with('/')) {
    throw Error(formatted("{} '{}' is refused: its name is absolute", what, printable(raw)), 0,
                "make the archive with names relative to the rootfs");
  }
  std::string path;
  for (const auto part : split(raw, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      throw Error(formatted("{} '{}' is refused: its name contains '..'", what, printable(raw)));
    }
    if (!path.empty()) path += '/';
    path += part;
  }
  return path;
}

bool is_below_dev(std::string_view path) {
  return path.starts_with("dev/");
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\' || c == '\'') {
      shown += formatted("\\{:03o}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace hutch
