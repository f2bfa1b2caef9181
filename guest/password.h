#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "guest/guest_root.h"
#include "guest/report.h"

namespace hutch::guest {

// Whether a password option holds a crypt(5) hash ($1$, $2a$ and its kin, $5$, $6$, $y$, $gy$, $7$) rather
// than plain text.
bool is_password_hash(std::string_view text);

// SHA-512-crypt with a random 8-character salt, made by the program `hutch-password` (base/helper_program.h).
// Throws for texts that crypt(3) refuses (longer than 512 bytes), and without that program.
std::string hash_password(const std::string& plain);

// Puts `field` into root's line of passwd(5), or, when there is a shadow file, into shadow(5) with `days`
// (since 1970) as the day of the change, and "x" into passwd. Owner and mode of both stay. Warns where there
// is no passwd or no root.
void write_root_password(const GuestRoot& root, std::string_view field, std::int64_t days, Report& report);

// The step: hashes what is not hashed; an empty password locks root's ("*").
void set_root_password(const GuestRoot& root, const std::string& password, Report& report);

}  // namespace hutch::guest
