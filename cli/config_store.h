#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/sysroot.h"
#include "base/unique_fd.h"

// The CT configs of this host: etc/pve/nodes/<node>/lxc/<vmid>.conf below the sysroot (design: paths).
namespace hutch::cli {

// The file lock of a CT (pct-cli.md §1.5); released with the object, or with the process.
// Recursive within one process.
class ConfigFileLock {
 public:
  ConfigFileLock(ConfigFileLock&& other) noexcept;
  ConfigFileLock& operator=(ConfigFileLock&& other) noexcept;
  ~ConfigFileLock();

 private:
  friend class ConfigStore;
  explicit ConfigFileLock(std::string path) : path_(std::move(path)) {}
  void release();
  std::string path_;  // empty: moved from
};

class ConfigStore {
 public:
  // Touches nothing. The node is the host name up to the first dot.
  explicit ConfigStore(Sysroot sysroot);

  const std::string& node() const { return node_; }
  // Absolute path of the config, whether it exists or not.
  std::string path(std::uint32_t vmid) const;
  // "nodes/<node>/lxc/<vmid>.conf", as messages name it.
  std::string display_path(std::uint32_t vmid) const;

  // All vmids with a config on this node, ascending. Names that are not "<vmid>.conf" are ignored.
  std::vector<std::uint32_t> list() const;
  bool exists(std::uint32_t vmid) const;
  // The node that has a config of this vmid, ours or another directory under nodes/; nothing if none.
  std::optional<std::string> node_of(std::uint32_t vmid) const;

  // The file's text. Missing: Error "Configuration file 'nodes/<node>/lxc/<vmid>.conf' does not exist" with
  // ENOENT (so that pct exits with 2). Otherwise unreadable: Error with its errno.
  std::string read(std::uint32_t vmid) const;
  // The same for one that may be removed meanwhile: nothing then.
  std::optional<std::string> read_if_exists(std::uint32_t vmid) const;
  // Replaces the file atomically, with fsync of file and directory. Makes the directories and the links
  // etc/pve/lxc and etc/pve/local on first use.
  void write(std::uint32_t vmid, const std::string& text) const;
  // Creates the file; Error with EEXIST if there is one.
  void create(std::uint32_t vmid, const std::string& text) const;
  // Missing is fine.
  void remove(std::uint32_t vmid) const;

  // Takes the file lock run/lock/lxc/pve-config-<vmid>.lock. While it has to wait, "trying to acquire
  // lock..." and " OK" or " failed" appear on `notices`; after `timeout`: Error "can't lock file '<file>' -
  // got timeout".
  ConfigFileLock lock(std::uint32_t vmid, std::FILE* notices,
                      std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
  // The same without waiting; nothing when somebody else holds it.
  std::optional<ConfigFileLock> try_lock(std::uint32_t vmid) const;

  // Notes that the container is being started; by who holds the lock, before there is a first process.
  void note_start(std::uint32_t vmid) const;
  // When it was noted last, in nanoseconds since 1970: a restart after a reboot from inside finds out whether
  // somebody has started the container before it got the lock. 0: nobody has.
  std::int64_t last_start(std::uint32_t vmid) const;

 private:
  void make_layout() const;
  std::string lock_file(std::uint32_t vmid) const;
  std::string directory() const;  // of the local node's configs
  Sysroot sysroot_;
  std::string node_;
};

}  // namespace hutch::cli
