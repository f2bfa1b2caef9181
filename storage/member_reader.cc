#include "storage/member_reader.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "storage/member_path.h"
#include "storage/posix_acl.h"

namespace hutch {

namespace {

constexpr std::uint64_t kTarBlock = 512;

struct TypeRow {
  mode_t file_type;
  Member::Type type;
};
constexpr std::array kTypes{
    TypeRow{S_IFREG, Member::Type::file},         TypeRow{S_IFDIR, Member::Type::directory},
    TypeRow{S_IFLNK, Member::Type::symlink},      TypeRow{S_IFIFO, Member::Type::fifo},
    TypeRow{S_IFSOCK, Member::Type::socket},      TypeRow{S_IFCHR, Member::Type::character_device},
    TypeRow{S_IFBLK, Member::Type::block_device},
};

// The attributes that the template format keeps (pct-cli 5.3).
bool is_kept_xattr(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability";
}

const char* text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

timespec mtime_of(struct archive_entry* entry) {
  return {::archive_entry_mtime(entry), ::archive_entry_mtime_nsec(entry)};
}

void add_xattrs(struct archive_entry* entry, Member& member) {
  if (member.type == Member::Type::symlink || ::archive_entry_xattr_reset(entry) == 0) return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr || !is_kept_xattr(name)) continue;
    std::string bytes(size, '\0');
    if (size > 0) std::memcpy(bytes.data(), value, size);
    member.xattrs.emplace_back(name, std::move(bytes));
  }
}

Member::Type type_of(struct archive_entry* entry, const std::string& path) {
  if (::archive_entry_hardlink(entry) != nullptr) return Member::Type::hard_link;
  const mode_t file_type = ::archive_entry_filetype(entry);
  for (const auto& row : kTypes) {
    if (row.file_type == file_type) return row.type;
  }
  throw Error(formatted("member '{}' has an unknown type", printable(path)));
}

Member to_member(struct archive_entry* entry, const MemberReader::Warning& warn) {
  const char* const raw = ::archive_entry_pathname(entry);
  if (raw == nullptr) throw Error("a member of the archive has no name");
  Member member;
  member.path = member_path(raw);
  member.type = type_of(entry, member.path);
  member.mode = ::archive_entry_perm(entry);
  member.uid = ::archive_entry_uid(entry);
  member.gid = ::archive_entry_gid(entry);
  member.mtime = mtime_of(entry);
  if (::archive_entry_atime_is_set(entry) != 0) {
    member.atime = timespec{::archive_entry_atime(entry), ::archive_entry_atime_nsec(entry)};
  }
  if (member.type == Member::Type::hard_link) {
    member.link = member_path(::archive_entry_hardlink(entry), "hard link target");
    return member;
  }
  if (member.type == Member::Type::symlink) member.link = text_or_empty(::archive_entry_symlink(entry));
  if (member.type == Member::Type::file)
    member.size = static_cast<std::uint64_t>(::archive_entry_size(entry));
  if (member.type == Member::Type::character_device || member.type == Member::Type::block_device) {
    member.device = ::makedev(static_cast<unsigned>(::archive_entry_rdevmajor(entry)),
                              static_cast<unsigned>(::archive_entry_rdevminor(entry)));
  }
  add_xattrs(entry, member);
  add_acls(entry, member, warn);
  return member;
}

}  // namespace

MemberReader::MemberReader(ByteQueue& queue, Warning warn)
    : queue_(queue), warn_(std::move(warn)), reader_(::archive_read_new()) {
  if (!reader_) throw Error("cannot start libarchive");
  if (::archive_read_support_filter_none(reader_.get()) < ARCHIVE_WARN ||
      ::archive_read_support_format_tar(reader_.get()) < ARCHIVE_WARN ||
      ::archive_read_open(reader_.get(), this, nullptr, read_queue, nullptr) < ARCHIVE_WARN) {
    throw_failure();
  }
}

la_ssize_t MemberReader::read_queue(struct archive* reader, void* self, const void** buffer) {
  std::span<const char> chunk;
  auto& reading = *static_cast<MemberReader*>(self);
  reading.pull(chunk);
  *buffer = chunk.data();
  if (chunk.empty() && !reading.queue_.error().empty()) {
    ::archive_set_error(reader, EIO, "%s", reading.queue_.error().c_str());
    return ARCHIVE_FATAL;
  }
  return static_cast<la_ssize_t>(chunk.size());
}

void MemberReader::pull(std::span<const char>& chunk) {
  chunk = queue_.next();
  stream_bytes_ += chunk.size();
  const auto last = std::find_if(chunk.rbegin(), chunk.rend(), [](char c) { return c != 0; });
  const auto zeros = static_cast<std::uint64_t>(last - chunk.rbegin());
  zero_tail_ = zeros == chunk.size() ? zero_tail_ + zeros : zeros;
}

void MemberReader::throw_failure() {
  // The decompressor's reason comes first: a tar reader that is cut off only sees the consequence.
  const std::string reason = queue_.error();
  if (!reason.empty()) throw Error(reason);
  const std::string text = error_text(reader_.get());
  if (members_ == 0 && text.find("Unrecognized") != std::string::npos)
    throw Error("the file is not a tar archive");
  throw Error(formatted("the archive is truncated or damaged: {}", text));
}

std::optional<Member> MemberReader::next() {
  struct archive_entry* entry = nullptr;
  const int result = ::archive_read_next_header(reader_.get(), &entry);
  if (result == ARCHIVE_EOF) {
    check_end();
    return std::nullopt;
  }
  if (result < ARCHIVE_WARN) throw_failure();
  ++members_;
  Member member = to_member(entry, warn_);
  if (result == ARCHIVE_WARN) {
    // In the C locale libarchive cannot convert names beyond ASCII and hands them on byte by byte, as wanted.
    const std::string text = error_text(reader_.get());
    if (text.find("can't be converted") == std::string::npos) {
      warn_(formatted("'{}': {}", printable(member.path), text));
    }
  }
  return member;
}

std::optional<MemberReader::Block> MemberReader::next_block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int result = ::archive_read_data_block(reader_.get(), &data, &size, &offset);
  if (result == ARCHIVE_EOF) return std::nullopt;
  if (result < ARCHIVE_OK) throw_failure();
  return Block{{static_cast<const char*>(data), size}, static_cast<std::uint64_t>(offset)};
}

void MemberReader::check_end() {
  // The decompressor's checksums stand behind the last member.
  std::span<const char> chunk;
  do {
    pull(chunk);
  } while (!chunk.empty());
  const std::string reason = queue_.error();
  if (!reason.empty()) throw Error(reason);
  // tar(5): two zero blocks end an archive. A plain .tar that is cut between two members shows it only here.
  if (zero_tail_ < kTarBlock) throw Error("the archive is truncated or damaged: its end marker is missing");
  if (members_ == 0) throw Error("the archive contains no members");
}

}  // namespace hutch
