#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"
#include "config/container_config.h"

// Container files of any format (config/formats/import.h). The work is done by the program `hutch-import`,
// which alone knows them: no start pays for it.
namespace hutch::cli {

// What is told about a line of such a file: its place, whether it is lost, and why; fit for a terminal, and
// cut off where a long line is quoted.
std::string told_line(const config::Diagnostic& diagnostic);

// The file as a CT config whose lines have the origins of the file, for lowering and planning. `format` as
// --format takes it; "": by content. What cannot be carried over is told as warnings on standard error
// ("WARN: ...", not counted). Throws Error for a file that cannot be read or is in no known format.
config::ContainerConfig load_any_config(CommandContext& context, const std::string& file, std::uint32_t vmid,
                                        const std::string& format = {});

}  // namespace hutch::cli
