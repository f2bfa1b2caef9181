#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/process.h"
#include "guest/guest_root.h"
#include "guest/report.h"

namespace hutch::guest {

// New SSH host keys (rsa, ecdsa, ed25519) for a container, made by the host's ssh-keygen in a private
// temporary directory. An RSA key is a random search that takes a processor a third of a second and more, so
// it can be begun before the rootfs is complete. Destruction ends what still runs and removes the directory.
class SshHostKeys {
 public:
  // `short_name` goes into the keys' comment: "root@<short_name>". `program` is searched as in
  // base/process.h.
  explicit SshHostKeys(std::string_view short_name, std::string program = "ssh-keygen");
  SshHostKeys(const SshHostKeys&) = delete;
  SshHostKeys& operator=(const SshHostKeys&) = delete;
  ~SshHostKeys();

  // Starts the ssh-keygens, unless they are started already or the rootfs has no /etc/ssh (yet): keys would
  // be thrown away. Costs one path look-up and is meant to be called now and then while a template is
  // unpacked. Never throws: what goes wrong here is tried again by write(), which reports it.
  void begin_where_wanted(const GuestRoot& root) noexcept;
  bool begun() const { return directory_ != nullptr; }

  // Puts the keys into /etc/ssh, where that exists; begins them if need be and waits for them. A host without
  // ssh-keygen: a warning. Throws when ssh-keygen fails. Call it once.
  void write(const GuestRoot& root, Report& report);

 private:
  class Directory;
  static constexpr std::array<const char*, 3> kTypes{"rsa", "ecdsa", "ed25519"};

  void begin();
  void drop();
  std::string file(const char* type) const;  // where ssh-keygen puts it, on the host

  std::string comment_;
  std::string program_;
  std::unique_ptr<Directory> directory_;
  std::array<std::optional<RunningProgram>, kTypes.size()> makers_;
};

}  // namespace hutch::guest
