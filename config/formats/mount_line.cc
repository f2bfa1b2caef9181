#include "config/formats/mount_line.h"

#include <linux/mount.h>

#include "base/format.h"

namespace hutch::config {

namespace {

struct AttributeWord {
  std::uint64_t attribute;
  std::string_view set;
  std::string_view clear;
};
constexpr AttributeWord kAttributes[] = {{MOUNT_ATTR_RDONLY, "ro", "rw"},
                                         {MOUNT_ATTR_NODEV, "nodev", "dev"},
                                         {MOUNT_ATTR_NOEXEC, "noexec", "exec"},
                                         {MOUNT_ATTR_NOSUID, "nosuid", "suid"},
                                         {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", ""},
                                         {MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"}};

std::string_view atime_word(const MountSpec& mount) {
  if ((mount.attributes_clear & MOUNT_ATTR__ATIME) == 0) return {};
  switch (mount.attributes_set & MOUNT_ATTR__ATIME) {
    case MOUNT_ATTR_NOATIME: return "noatime";
    case MOUNT_ATTR_STRICTATIME: return "strictatime";
    default: return "relatime";
  }
}

std::string_view propagation_word(MountSpec::Propagation propagation) {
  switch (propagation) {
    case MountSpec::Propagation::shared: return "shared";
    case MountSpec::Propagation::slave: return "slave";
    case MountSpec::Propagation::private_: return "private";
    case MountSpec::Propagation::unbindable: return "unbindable";
    case MountSpec::Propagation::unchanged: break;
  }
  return {};
}

}  // namespace

std::string fstab_field(std::string_view text) {
  std::string field;
  for (const char c : text) {
    switch (c) {
      case ' ': field += "\\040"; break;
      case '\t': field += "\\011"; break;
      case '\n': field += "\\012"; break;
      case '\\': field += "\\134"; break;
      default: field += c;
    }
  }
  return field;
}

std::string attribute_words(std::uint64_t attributes) {
  std::string words;
  for (const auto& row : kAttributes) {
    if ((attributes & row.attribute) != 0) words.append(",").append(row.set);
  }
  if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME) words += ",noatime";
  return words;
}

std::string mount_line(const MountSpec& mount) {
  std::string options = mount.bind ? (mount.recursive ? "rbind" : "bind") : "defaults";
  const auto add = [&options](std::string_view word) {
    if (!word.empty()) options.append(",").append(word);
  };
  for (const auto& row : kAttributes) {
    if ((mount.attributes_set & row.attribute) != 0) add(row.set);
    if ((mount.attributes_clear & row.attribute) != 0) add(row.clear);
  }
  // A new mount keeps no note of what it clears.
  add(!mount.bind && (mount.attributes_set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME ? "noatime"
      : !mount.bind && (mount.attributes_set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME
          ? "strictatime"
          : atime_word(mount));
  if (mount.source_in_root) add("relative");
  if (mount.optional) add("optional");
  if (mount.id_mapped) add("idmap=container");
  if (mount.create == MountSpec::Create::directory) add("create=dir");
  if (mount.create == MountSpec::Create::file) add("create=file");
  if (mount.propagation != MountSpec::Propagation::unchanged) {
    add(formatted("{}{}", mount.propagation_recursive ? "r" : "", propagation_word(mount.propagation)));
  }
  for (const auto& [name, value] : mount.fs_options)
    add(value.empty() ? name : formatted("{}={}", name, value));
  const std::string source = mount.source.empty() ? "none" : fstab_field(mount.source);
  return formatted("{} {} {} {} 0 0", source, fstab_field(mount.target),
                   mount.type.empty() ? std::string("none") : fstab_field(mount.type), options);
}

}  // namespace hutch::config
