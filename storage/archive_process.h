#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "storage/archive.h"

namespace hutch {

// A running `hutch-archive extract`, in a user namespace of its own when there is an id map. Destruction ends
// it.
class ArchiveProcess {
 public:
  // Starts it. `archive_fd` and `root_fd` are borrowed. Throws when the program cannot be opened or forked,
  // or the kernel refuses the id map; what fails in the child later is on errors().
  ArchiveProcess(const std::string& program, int archive_fd, int root_fd,
                 const std::vector<ArchiveIdRange>& uids, const std::vector<ArchiveIdRange>& gids);
  ArchiveProcess(const ArchiveProcess&) = delete;
  ArchiveProcess& operator=(const ArchiveProcess&) = delete;
  ~ArchiveProcess();

  int events() const { return events_.get(); }  // lines of storage/helper_protocol.h
  int errors() const { return errors_.get(); }  // its standard error

  // Waits for its end: "" for success, else "exited with status 1", "killed by SIGKILL". Call it once.
  std::string wait();

 private:
  void write_id_maps(const std::vector<ArchiveIdRange>& uids, const std::vector<ArchiveIdRange>& gids) const;
  void end();

  pid_t pid_ = -1;
  UniqueFd events_;
  UniqueFd errors_;
};

}  // namespace hutch
