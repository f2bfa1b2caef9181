#pragma once

#include <string>
#include <string_view>

// What the rows of the option table check and normalise with; not for other rooms.
namespace hutch::config {

// Each throws Error whose action is the reason.
void check_hostname(std::string_view text);
void check_name_servers(std::string_view text);
void check_search_domains(std::string_view text);
void check_tags(std::string_view text);
void check_entry_point(std::string_view text);
void check_environment(std::string_view text);
void check_volume_id(std::string_view text);
void check_config_id(std::string_view text);
void check_timezone(std::string_view text);
void check_net(std::string_view text);
void check_rootfs(std::string_view text);
void check_mount_point(std::string_view text);
void check_features(std::string_view text);
void check_device(std::string_view text);
void check_startup(std::string_view text);
void check_unused(std::string_view text);

// The stored form of a value that passed its check. The property strings throw for what only the command
// line is held to (overlapping idmap ranges).
std::string blank_separated(std::string_view text);
std::string normalised_tags(std::string_view text);
std::string clamped_cpu_units(std::string_view text);
std::string normalised_rootfs(std::string_view text);
std::string normalised_mount_point(std::string_view text);
std::string normalised_features(std::string_view text);
std::string normalised_device(std::string_view text);

}  // namespace hutch::config
