#include "storage/posix_acl.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/format.h"
#include "storage/member_path.h"

namespace hutch {

namespace {

constexpr std::uint32_t kVersion = 2;

struct TagRow {
  int archive_tag;
  std::uint16_t tag;
  bool qualified;
};
constexpr std::array kTags{
    TagRow{ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01, false},  TagRow{ARCHIVE_ENTRY_ACL_USER, 0x02, true},
    TagRow{ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04, false}, TagRow{ARCHIVE_ENTRY_ACL_GROUP, 0x08, true},
    TagRow{ARCHIVE_ENTRY_ACL_MASK, 0x10, false},      TagRow{ARCHIVE_ENTRY_ACL_OTHER, 0x20, false},
};

void append(std::string& text, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
}

// The entries of one kind; nothing when one of them has no number.
std::optional<std::vector<AclEntry>> read_acl(struct archive_entry* entry, int kind) {
  std::vector<AclEntry> entries;
  ::archive_entry_acl_reset(entry, kind);
  int type = 0;
  int permset = 0;
  int tag = 0;
  int id = 0;
  const char* name = nullptr;
  while (::archive_entry_acl_next(entry, kind, &type, &permset, &tag, &id, &name) == ARCHIVE_OK) {
    const auto* const row =
        std::find_if(kTags.begin(), kTags.end(), [&](const TagRow& r) { return r.archive_tag == tag; });
    if (row == kTags.end() || (row->qualified && id < 0)) return std::nullopt;
    entries.push_back({row->tag, static_cast<std::uint16_t>(permset & 7),
                       row->qualified ? static_cast<std::uint32_t>(id) : 0xffffffffU});
  }
  return entries;
}

}  // namespace

std::string encode_acl(std::vector<AclEntry> entries) {
  // The kernel wants the tags in ascending order (posix_acl_valid()).
  std::stable_sort(entries.begin(), entries.end(), [](const AclEntry& a, const AclEntry& b) {
    return a.tag != b.tag ? a.tag < b.tag : a.id < b.id;
  });
  std::string value;
  append(value, kVersion, 4);
  for (const auto& entry : entries) {
    append(value, entry.tag, 2);
    append(value, entry.perm, 2);
    append(value, entry.id, 4);
  }
  return value;
}

void add_acls(struct archive_entry* entry, Member& member,
              const std::function<void(const std::string&)>& warn) {
  if (member.type == Member::Type::symlink || ::archive_entry_acl_types(entry) == 0) return;
  struct Kind {
    int archive_kind;
    const char* xattr;
  };
  for (const auto& kind : {Kind{ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access"},
                           Kind{ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default"}}) {
    // The access ACL's owner, group and others come from the mode; it is only more than that with further
    // entries.
    if (::archive_entry_acl_count(entry, kind.archive_kind) == 0) continue;
    if (kind.archive_kind == ARCHIVE_ENTRY_ACL_TYPE_DEFAULT && member.type != Member::Type::directory)
      continue;
    const auto entries = read_acl(entry, kind.archive_kind);
    if (!entries) {
      warn(formatted("the ACL of '{}' is left out: it names a user or group without its number",
                     printable(member.path)));
      continue;
    }
    member.xattrs.emplace_back(kind.xattr, encode_acl(*entries));
  }
}

}  // namespace hutch
