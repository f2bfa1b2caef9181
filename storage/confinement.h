#pragma once

#include <vector>

namespace hutch {

// Closes every descriptor above standard error except `keep`.
void close_other_fds(std::vector<int> keep);

// Makes `root_fd` the root directory of this process (chroot(2)), takes no_new_privs, and keeps only the
// capabilities that making files with owners, modes, attributes and device nodes needs. The last ability to
// leave the new root (CAP_SYS_CHROOT and everything like it) is gone afterwards. For a process with one
// thread.
void confine_to(int root_fd);

// Loads what iconv(3) reads from files, which libarchive may ask for later: behind the chroot these files
// would be the archive's own.
void load_charset_tables();

}  // namespace hutch
