#pragma once

#include <vector>

#include "seccomp/policy.h"

namespace hutch::seccomp {

// Whether one call can match the conditions of both rules (which are for the same system call). May say yes
// where only a search over all values would prove the opposite, never no where a call exists.
bool can_both_match(const std::vector<Condition>& one, const std::vector<Condition>& other);

}  // namespace hutch::seccomp
