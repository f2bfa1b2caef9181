#include "storage/template.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "storage/archive.h"
#include "storage/dir_storage.h"
#include "storage/volume_id.h"

namespace hutch {

namespace {

constexpr std::size_t kNameLimit = 255;

// Throws unless `path` is an existing regular file; `missing` is the text for one that does not exist.
void require_regular(const std::string& path, const std::string& missing, const std::string& hint) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw Error(missing, 0, hint);
    throw_errno(formatted("cannot stat '{}'", path));
  }
  if (!S_ISREG(status.st_mode)) throw Error(formatted("'{}' is not a regular file", path));
}

}  // namespace

TemplateFile find_template(const StorageConfig& config, const Sysroot& sysroot, std::string_view name) {
  if (name.size() > kNameLimit) {
    throw Error(formatted("the template's name is longer than {} characters", kNameLimit));
  }
  TemplateFile found{std::string(name), std::string(name)};
  if (is_volume_id(name)) {
    const VolumeId id = parse_volume_id(name);
    const DirStorage storage(config.dir_for(id.storage, "vztmpl"), sysroot);
    if (parse_file_volume(id).kind != VolumeKind::container_template) {
      throw Error(formatted("volume '{}' does not have content type 'vztmpl'", name), 0,
                  formatted("templates are named '{}:vztmpl/<file>'", id.storage));
    }
    found.path = storage.path_of(id);
    require_regular(found.path, formatted("volume '{}' does not exist", name),
                    formatted("there is no file '{}'", found.path));
  } else {
    require_regular(found.path, formatted("can't find file '{}'", name),
                    "give an existing archive or a volume '<storage>:vztmpl/<file>'");
  }
  check_archive_name(found.path);
  return found;
}

}  // namespace hutch
