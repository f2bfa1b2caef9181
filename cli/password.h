#pragma once

#include <cstdio>
#include <string>

namespace hutch::cli {

inline constexpr std::size_t kMinimumPasswordLength = 5;

// Asks twice for a new password ("Enter new password: ", "Retype new password: ") with the terminal's echo
// off; `input` need not be a terminal. Throws Error "passwords do not match", and when the input ends.
std::string prompt_new_password(std::FILE* input, std::FILE* prompts);

}  // namespace hutch::cli
