#include "runtime/volume_hot_plug.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/mount.h"
#include "runtime/id_map.h"
#include "runtime/locked_mount.h"
#include "runtime/volumes.h"

namespace hutch {

namespace {

class VolumePlug {
 public:
  VolumePlug(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
             const VolumeSpec& volume, const HotPlugTest& test)
      : sysroot_(sysroot), spec_(spec), state_(state), volume_(volume), test_(test) {}

  void add() {
    check_request();
    init_ = open(state_.init, "the container");
    // What somebody left who was killed in the middle of this.
    take_away();
    // Where it stays mounted beside the container, and where its attributes are locked.
    staged_ = volume_.kind != VolumeSpec::Kind::directory || locked();
    if (staged_) supervisor_ = open(state_.supervisor, "its supervisor");
    all_or_nothing([&](UndoStack& undo) {
      step();
      make_directories(plug_directory(sysroot_, state_.vmid), 0700);
      undo.push("mount", [this] { take_away(); });
      if (staged_) check(::mkdir(stage().c_str(), 0700), formatted("cannot create '{}'", stage()));
      step();
      mount_ = open_mount();
      if (volume_.keep_attributes) undo.push("owner and mode", remember_attributes(mount_.get()));
      step();
      const UniqueFd notes = open_notes(sysroot_, state_.vmid);
      run_apart([&] { return show(notes.get()); });
      mount_.reset();
      step_ = kHelperSteps;
      step();
    });
  }

  void remove() {
    if (!read_note(sysroot_, state_.vmid, volume_.key)) {
      throw Error(formatted("{} was not plugged in while the container ran", volume_.key), ENOENT);
    }
    init_ = open(state_.init, "the container");
    take_away();
  }

 private:
  // Steps are numbered through, those of the process apart, too.
  static constexpr unsigned kHelperSteps = 10;

  const Sysroot& sysroot_;
  const ContainerSpec& spec_;
  const ContainerState& state_;
  const VolumeSpec& volume_;
  const HotPlugTest& test_;
  unsigned step_ = 0;
  bool staged_ = false;
  UniqueFd init_;
  UniqueFd supervisor_;
  UniqueFd mount_;

  void step() {
    if (test_.before_step) test_.before_step(step_);
    ++step_;
  }

  std::string stage() const { return stage_path(sysroot_, state_.vmid, volume_.key); }

  void check_request() const {
    if (volume_.kind == VolumeSpec::Kind::overlay || volume_.target == "/" ||
        !volume_.target.starts_with('/')) {
      throw Error(formatted("'{}' cannot be mounted on '{}' while the container runs", volume_.source,
                            volume_.target),
                  EINVAL);
    }
    if (volume_.quota) {
      throw Error("quota=1 takes effect at the container's next start only", EBUSY,
                  "the tools inside need the device in /dev");
    }
  }

  UniqueFd open(const ProcessIdentity& process, const char* what) const {
    auto opened = open_process(process);
    if (!opened) throw Error(formatted("{} is not running", what), ESRCH, "restart the container");
    return std::move(*opened);
  }

  bool locked() const { return !spec_.id_map.empty() && (volume_.bind || attributes_of(volume_) != 0); }

  // As far as it is there, in whatever state it was left.
  void take_away() {
    const auto note = read_note(sysroot_, state_.vmid, volume_.key);
    const bool staged = path_exists(AT_FDCWD, stage());
    // Without its supervisor there is no staging mount either.
    const auto supervisor = staged ? open_process(state_.supervisor) : std::nullopt;
    if (note || supervisor) hide(note, supervisor ? supervisor->get() : -1);
    if (staged && ::rmdir(stage().c_str()) < 0 && errno != ENOENT) {
      throw_errno(formatted("cannot remove '{}'", stage()));
    }
    if (note) remove_note(sysroot_, state_.vmid, volume_.key);
  }

  // The detached mount, id-mapped. Seen from the host, whose mounts go on propagating into a bind, but none
  // goes back.
  UniqueFd open_mount() const {
    OpenedVolume opened = open_volume(volume_, id_map().get());
    set_mount_propagation(opened.mount.get(), MS_SLAVE, true);
    return std::move(opened.mount);
  }

  UniqueFd id_map() const {
    if (spec_.id_map.empty() || volume_.disk_ids == DiskIds::host) return {};
    if (volume_.disk_ids == DiskIds::other_namespace)
      return open_id_map_namespace(volume_.id_map_path, volume_.origin);
    return make_id_map_namespace(disk_id_map(spec_.id_map, volume_));
  }

  // Apart from here on.

  // The note comes before the mount, so that there is no moment at which nobody would find it again. At worst
  // empty directories stay inside.
  std::string show(int notes) {
    PlugNote note;
    note.key = volume_.key;
    note.target = volume_.target;
    all_or_nothing([&](UndoStack& undo) {
      const UniqueFd mount = staged_ ? stage_mount(undo) : std::move(mount_);
      step();
      enter_mounts(init_.get());
      PlugPlace place = make_place(volume_.target, false, spec_);
      note.made = place.made;
      undo.push("directories", [&] { remove_place(note.made); });
      step();
      note.mount_id = mount_id_of(mount.get());
      write_note(notes, note);
      step();
      if (volume_.keep_attributes) take_attributes(mount.get(), place.target.get());
      undo.push("mount", [&] { unmount_place(note.target, note.mount_id); });
      attach_mount(mount.get(), place.target.get(), "");
      step();
    });
    return {};
  }

  // Leaves the mount in the supervisor's mount namespace and gives a clone for the container.
  UniqueFd stage_mount(UndoStack& undo) {
    step();
    enter_mounts(supervisor_.get());
    const auto home = std::make_shared<UniqueFd>(open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY));
    step();
    attach_mount(mount_.get(), AT_FDCWD, stage());
    undo.push("staging mount", [this, home] {
      check(::setns(home->get(), CLONE_NEWNS), "cannot go back to the supervisor's mounts");
      unmount_stage();
    });
    step();
    return locked() ? clone_locked(stage()) : clone_mount(AT_FDCWD, stage(), true);
  }

  void unmount_stage() const {
    // EINVAL: it is not mounted there.
    if (::umount2(stage().c_str(), MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
      throw_errno(formatted("cannot unmount '{}'", stage()));
  }

  void hide(const std::optional<PlugNote>& note, int supervisor) const {
    run_apart([&] {
      if (note) {
        enter_mounts(init_.get());
        unmount_place(note->target, note->mount_id);
        remove_place(note->made);
      }
      if (supervisor >= 0) {
        enter_mounts(supervisor);
        unmount_stage();
      }
      return std::string();
    });
  }
};

}  // namespace

void add_volume(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                const VolumeSpec& volume, const HotPlugTest& test) {
  try {
    VolumePlug(sysroot, spec, state, volume, test).add();
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot add {} to CT {}", volume.key, state.vmid))
        .with_origin(volume.origin);
  }
}

void remove_volume(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                   const VolumeSpec& volume) {
  try {
    VolumePlug(sysroot, spec, state, volume, {}).remove();
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot remove {} from CT {}", volume.key, state.vmid))
        .with_origin(volume.origin);
  }
}

}  // namespace hutch
