#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/raw_message.h"
#include "base/raw_syscall.h"
#include "runtime/child_interpreter.h"
#include "runtime/sync_protocol.h"

// What every operation of the first process is made of: system calls, descriptors, messages. Only for
// runtime/child_interpreter.cc, and therefore no file of its own to compile: without sanitizers, and one
// piece of memory with the rest.
namespace hutch {

inline std::size_t length_of(const char* text) {
  std::size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

// What fails leaves its errno in error_.
class ChildProcess {
 public:
  explicit ChildProcess(ChildImage& image) : image_(image) {}

 protected:
  ChildImage& image_;
  int error_ = 0;  // of the last system call that failed; errno itself may be another process's

  // -1 on failure.
  template <typename... Arguments>
  long raw(long number, Arguments... arguments) {
    const long result = sys::raw(number, arguments...);
    if (result >= 0) return result;
    error_ = static_cast<int>(-result);
    return -1;
  }

  void close_raw(int fd) {
    if (fd >= 0) raw(SYS_close, fd);
  }

  const char* text(std::uint32_t offset) const { return image_.arena + offset; }
  int optional_fd(Slot slot) const { return slot == kNoSlot ? -1 : image_.slots[slot]; }
  int fd(Slot slot) const { return slot == kNoSlot ? AT_FDCWD : image_.slots[slot]; }

  bool fill(Slot slot, long descriptor) {
    if (descriptor < 0) return false;
    close_raw(image_.slots[slot]);
    image_.slots[slot] = static_cast<int>(descriptor);
    return true;
  }

  bool send(const SyncMessage& message, int passed_fd) {
    const long sent = sys::raw_send(image_.sync_fd, &message, sizeof message, passed_fd);
    if (sent < 0) error_ = static_cast<int>(-sent);
    return sent == sizeof message;
  }

  // The descriptors that come with a message go into the slots that are named behind it. Gives the size of
  // the message itself.
  long receive(SyncMessage& message) {
    Slot slots[kMaxSlots];
    int fds[kMaxSlots];
    iovec parts[] = {{&message, sizeof message}, {slots, sizeof slots}};
    std::size_t count = 0;
    const long size = sys::raw_receive(image_.sync_fd, parts, fds, count);
    if (size < 0) error_ = static_cast<int>(-size);
    if (size < static_cast<long>(sizeof message)) return size;
    const std::size_t named = (static_cast<std::size_t>(size) - sizeof message) / sizeof(Slot);
    if (count != named) return 0;
    for (std::size_t at = 0; at < count; ++at) fill(slots[at], fds[at]);
    return sizeof message;
  }

  bool await(SyncMessage::Type wanted) {
    SyncMessage message{};
    const long size = receive(message);
    if (size < 0) return false;
    // End-of-file: the one who starts us is gone, so nobody would ever look after this container.
    if (size != sizeof message) return refuse(EPIPE);
    return message.type == wanted || refuse(EPROTO);
  }

  bool refuse(int error) {
    error_ = error;
    return false;
  }

  long open_below(int dir, const char* path, std::uint64_t flags, std::uint64_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    for (;;) {
      const long result = raw(SYS_openat2, dir, path, &how, sizeof how);
      if (result >= 0 || error_ != EAGAIN) return result;
    }
  }

  bool abandon(long descriptor, int error) {
    close_raw(static_cast<int>(descriptor));
    return refuse(error);
  }

  bool write_and_close(long file, const char* content) {
    const std::size_t length = length_of(content);
    const long written = raw(SYS_write, file, content, length);
    const int error = written < 0 ? error_ : EIO;
    close_raw(static_cast<int>(file));
    return written == static_cast<long>(length) || refuse(error);
  }

  bool report(SyncMessage::Type type) {
    SyncMessage message{};
    message.type = type;
    return send(message, -1);
  }
};

}  // namespace hutch
