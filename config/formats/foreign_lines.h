#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/formats/import.h"
#include "config/lxc_file.h"
#include "config/property_formats.h"

// Lines of foreign files that cannot be used: what the readers share; not for other rooms. The importer is
// lenient where a start is strict: it tells about a line and goes on, but never so that the container may do
// more than the file said (import.h, Imported::lost_protection).
namespace hutch::config {

// The key, under an old name or the current one, or a line that begins with such a key, says what the
// container may do: capabilities, ids, policies, devices, what is read-only, VLANs, as whom init runs.
bool confines(std::string_view key);

// What stands in a message for an error whose origin is told otherwise: action and errno.
std::string reason_of(const Error& error);

// `key` (or a line that begins with it) is not in the result. It counts as lost protection when it confines.
void lose_line(Imported& imported, std::string_view key, const Origin& origin, std::string message);
// The same for a line whose loss leaves the container as confined as it is.
void lose_harmless_line(Imported& imported, const Origin& origin, std::string message);
void remark(Imported& imported, const Origin& origin, std::string message);

// A line of no format: kept in the description, as a note for the reader.
void keep_foreign_line(Imported& imported, const Located<std::string>& line);
// What of a file of LXC's is no setting: comments and foreign lines into the description; malformed lines are
// told.
void keep_text(const LxcFile& file, Imported& imported);

// Why the option net[n] cannot hold these settings; a name may be missing so far. Nothing when it can.
std::optional<std::string> net_complaint(NetOption net);

// Lines of LXC as they count today: known keys, current names, cgroup v2. What cannot be used is told.
std::vector<RawEntry> current_lines(std::vector<RawEntry> entries, Imported& imported);

// The last step: raw lines with a value that no start takes are taken out and told. Those that confine the
// container stay, so that there is no start without them.
void drop_bad_lines(Imported& imported);

// One remark for each raw line, or `hookscript`, that makes a start run a program, and for includes, which
// may have such lines.
void point_out_programs(Imported& imported);

// In the order of the source's lines; what comes from other files, or from no line, after these.
void sort_diagnostics(Imported& imported);

}  // namespace hutch::config
