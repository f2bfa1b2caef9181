#include <chrono>
#include <functional>

#include "base/error.h"
#include "base/format.h"
#include "base/undo.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/create_request.h"
#include "cli/guest_settings.h"
#include "cli/interruption.h"
#include "cli/lowering_context.h"
#include "cli/progress_bar.h"
#include "cli/volume_tree.h"
#include "guest/hostname.h"
#include "guest/setup.h"
#include "storage/archive.h"

namespace hutch::cli {

namespace {

constexpr auto kCreateLockTimeout = std::chrono::seconds(5);

std::vector<ArchiveIdRange> archive_ranges(const std::vector<IdRange>& ranges) {
  std::vector<ArchiveIdRange> result;
  for (const auto& range : ranges) result.push_back({range.inside, range.host, range.count});
  return result;
}

// `meanwhile` runs now and then while the template is unpacked, also half-way through.
void extract(CommandContext& context, const CreateRequest& request, int root_fd,
             const Interruption& interruption, const std::function<void()>& meanwhile) {
  context.notice(formatted("extracting archive '{}'", request.archive));
  ProgressBar bar(context.err());
  ExtractRequest extraction;
  extraction.archive = request.archive;
  extraction.root_fd = root_fd;
  if (!request.volumes.front().option.idmap_passthrough) {
    extraction.uids = archive_ranges(request.id_map.uids);
    extraction.gids = archive_ranges(request.id_map.gids);
  }
  extraction.progress = [&](std::uint64_t done, std::uint64_t total) {
    interruption.check();
    meanwhile();
    bar.update(done, total);
  };
  extraction.warning = [&](const std::string& text) {
    bar.clear();
    context.warn(text);
  };
  try {
    const ExtractTotals totals = extract_template(extraction);
    bar.clear();
    context.notice(formatted("{} files, {} unpacked", totals.members,
                             format_bytes(static_cast<double>(totals.unpacked_bytes))));
  } catch (const VolumeWriteError&) {
    bar.clear();
    throw;
  } catch (const Error& error) {
    bar.clear();
    interruption.check();
    if (!request.ignore_unpack_errors) throw;
    context.warn(formatted("ignoring the extraction's failure: {}", error.what()));
  }
}

guest::GuestSettings guest_settings(const CreateRequest& request) {
  guest::GuestSettings settings = make_guest_settings(request.options, !request.id_map.empty());
  settings.password = request.password;
  settings.ssh_public_keys = request.ssh_public_keys;
  return settings;
}

void tell(CommandContext& context, const guest::Report& report) {
  for (const auto& line : report.lines) context.notice(line);
  for (const auto& warning : report.warnings) context.warn(warning);
}

// Guest setup; fills in what only the unpacked system shows: ostype and arch.
void set_up_guest(CommandContext& context, CreateRequest& request, const guest::GuestRoot& root,
                  const guest::GuestSettings& settings, guest::SshHostKeys& host_keys) {
  guest::Report report;
  try {
    const auto found = guest::setup_on_create(root, settings, host_keys, report);
    request.options.set("ostype", std::string(guest::os_type_name(found.type)));
    if (!request.options.has("arch")) {
      request.options.set("arch", guest::detect_architecture(root, found.type, report));
    }
  } catch (...) {
    tell(context, report);
    throw;
  }
  tell(context, report);
}

config::ContainerConfig final_config(const CreateRequest& request) {
  config::ContainerConfig config;
  config.vmid = request.vmid;
  config.main = all_options(request);
  return config;
}

// Unpacks the template and sets it up. The SSH host keys of a template that wants some are made meanwhile.
void fill_rootfs(CommandContext& context, CreateRequest& request, int root_fd,
                 const Interruption& interruption) {
  const guest::GuestRoot root(root_fd, volume_root(request));
  const guest::GuestSettings settings = guest_settings(request);
  guest::SshHostKeys host_keys(guest::short_hostname(settings.hostname));
  const bool unmanaged = settings.ostype == guest::os_type_name(guest::OsType::unmanaged);
  extract(context, request, root_fd, interruption, [&] {
    if (!unmanaged) host_keys.begin_where_wanted(root);
  });
  interruption.check();
  set_up_guest(context, request, root, settings, host_keys);
}

// Reserves the vmid: from here on nobody else can create it.
void reserve(CommandContext& context, const ConfigStore& store, std::uint32_t vmid, UndoStack& undo) {
  const auto file_lock = store.lock(vmid, context.err(), kCreateLockTimeout);
  if (const auto node = store.node_of(vmid))
    throw Error(formatted("CT {} already exists on node '{}'", vmid, *node));
  config::ContainerConfig reservation;
  reservation.vmid = vmid;
  reservation.main.set("lock", "create");
  store.create(vmid, config::write_config(reservation));
  undo.push("remove the config", [store, vmid] { store.remove(vmid); });
}

void build(CommandContext& context, const ConfigStore& store, CreateRequest& request,
           const StorageConfig& storages) {
  UndoStack undo([&context](const std::string& name, const std::string& reason) {
    std::fprintf(context.err(), "cannot undo '%s': %s\n", name.c_str(), reason.c_str());
  });
  const Interruption interruption;
  reserve(context, store, request.vmid, undo);
  context.enter_worker();
  allocate_volumes(request, storages, context.sysroot(), undo);
  interruption.check();
  {
    const VolumeTree tree(request, make_lowering_context(context.sysroot(), request.vmid), context.sysroot(),
                          undo);
    interruption.check();
    try {
      fill_rootfs(context, request, tree.root_fd(), interruption);
      tree.sync();
    } catch (const Error& error) {
      const std::string hint = tree.hint_for(error);
      if (hint.empty()) throw;
      throw error.with_hint(hint);
    }
  }
  interruption.check();
  const auto file_lock = store.lock(request.vmid, context.err());
  store.write(request.vmid, config::write_config(final_config(request)));
  undo.dismiss();
}

}  // namespace

int command_create(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  if (const auto node = store.node_of(context.vmid())) {
    throw Error(formatted("CT {} already exists on node '{}'", context.vmid(), *node));
  }
  const StorageConfig storages =
      StorageConfig::load(context.sysroot(), [&](const std::string& text) { context.warn(text); });
  CreateRequest request = read_create_request(context, storages);
  try {
    build(context, store, request, storages);
  } catch (const Error& error) {
    throw Error(formatted("unable to create CT {} - {}", request.vmid, error.action()), error.error_number(),
                error.hint(), error.origin());
  }
  if (!request.start) return 0;
  CommandContext start = context.nested({std::to_string(request.vmid)});
  const int status = command_start(start);
  context.add_warnings(start.warnings());
  return status;
}

}  // namespace hutch::cli
