#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "guest/guest_root.h"

namespace hutch::guest {

// "# --- BEGIN PVE ---" ... "# --- END PVE ---": the part of a file that belongs to us, the rest is the
// user's. Recognised with any blanks between the words, END in any case; the first BEGIN and the first END at
// or after it count.
inline constexpr std::string_view kSectionBegin = "# --- BEGIN PVE ---";
inline constexpr std::string_view kSectionEnd = "# --- END PVE ---";

bool is_section_begin(std::string_view line);
bool is_section_end(std::string_view line);

// Where a section goes in a file that has none yet.
enum class SectionPlace {
  append,   // after what is there
  prepend,  // before what is there
  replace,  // instead of what is there
};

// The text outside the section ("" for a missing file), in order.
std::string outside_section(std::string_view content);

// The new content of a file; nothing when the file is to be removed or stays missing.
// `content` nothing: the file is missing. A section that is there is replaced in its place. `text` (lines
// without the markers, a missing last newline is added) may be empty: no section is then made, one beside
// other content is emptied (Proxmox adds a blank line each time; we do not), and one that is the whole file
// is kept unchanged, or removed with the file when `delete_empty`.
std::optional<std::string> with_section(std::optional<std::string_view> content, std::string_view text,
                                        SectionPlace place, bool delete_empty = false);

// with_section on a file of the guest.
void write_section(const GuestRoot& root, const std::string& path, std::string_view text, SectionPlace place,
                   bool delete_empty = false, mode_t mode = 0644);

}  // namespace hutch::guest
