#pragma once

#include <string_view>

// Whether a test's text is about a key: how keys are written in config lines, in C++ strings and on command
// lines.
namespace hutch::docs {

// A `lxc.*` key by its full name, which is not part of a longer one: "lxc.net" is not mentioned by
// "lxc.net.0.type". "lxc.cgroup2.*" is mentioned by any name below it; "[n]" stands for a number.
bool mentions_raw_key(std::string_view text, std::string_view key);

// An option: "memory: 512" in a config, "memory" as a whole string, --memory. `indexed`: with a number after
// it.
bool mentions_option(std::string_view text, std::string_view name, bool indexed);

// A key of a property string ("bridge=vmbr0") in a text that mentions the option, or that parses or prints
// such strings by a function with one of these names.
bool mentions_sub_key(std::string_view text, std::string_view key);

}  // namespace hutch::docs
