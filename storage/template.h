#pragma once

#include <string>
#include <string_view>

#include "base/sysroot.h"
#include "storage/storage_config.h"

namespace hutch {

// The archive that `pct create` is given as <ostemplate> (pct-cli 2.3): "<storage>:vztmpl/<file>" or a host
// path.
struct TemplateFile {
  std::string path;  // absolute or as given; a regular file that exists, with an archive suffix
  std::string name;  // as the user wrote it
};

// Finds it. Throws for a volume of another content type (the text names the volume and 'vztmpl'), for a
// storage without that content, for a file that does not exist ("can't find file 'X'"), is no regular file,
// or whose suffix is not one of check_archive_name(). `name` is at most 255 characters.
TemplateFile find_template(const StorageConfig& config, const Sysroot& sysroot, std::string_view name);

}  // namespace hutch
