#pragma once

#include <string>
#include <string_view>

// Names of archive members. They come from outside and are never trusted.
namespace hutch {

// The name relative to the archive's root, without "." components, doubled and trailing slashes; "" is the
// root itself. Throws for absolute names and for ".." components. `what` starts the message: "member", "hard
// link target".
std::string member_path(std::string_view raw, std::string_view what = "member");

// Whether the member is something below dev/, which a container gets from its runtime (`--exclude
// './dev/*'`).
bool is_below_dev(std::string_view path);

// The directory part ("" for the root) and the last component of a relative path.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

// For messages: control characters, quotes and backslashes as \ooo, so that a message stays one line and
// cannot steer a terminal.
std::string printable(std::string_view text);

}  // namespace hutch
