#pragma once

#include <string>
#include <string_view>

namespace hutch {

// Where the program `name` is that belongs to this one and is not in PATH, seen from /proc/self/exe: this
// program's own directory, ../libexec/hutch beside that, or, in a build tree, the folder `build_folder`
// ("storage") beside it or one level up. Throws Error with the places that were tried.
std::string helper_program_path(std::string_view name, std::string_view build_folder);

}  // namespace hutch
