#include "base/format.h"
#include "bench/contender.h"

// The runtimes of the Open Container Initiative: one config.json (runtime-spec 1.0) serves both.
namespace hutch::bench {

namespace {

constexpr const char* kMounts =
    R"([{"destination":"/proc","type":"proc","source":"proc"},
 {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755","size=65536k"]},
 {"destination":"/dev/pts","type":"devpts","source":"devpts",
  "options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]},
 {"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]}])";
constexpr const char* kSeccomp =
    R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["kexec_load","open_by_handle_at",
 "init_module","finit_module","delete_module","keyctl"],"action":"SCMP_ACT_ERRNO"}]},)";
constexpr const char* kLimits =
    R"("resources":{"memory":{"limit":536870912},"cpu":{"quota":50000,"period":100000,"shares":1024,
 "cpus":"0"},"pids":{"limit":4096}},)";
// A privileged container of ours keeps all but five.
constexpr const char* kCapabilities =
    R"(["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID",
 "CAP_SETPCAP","CAP_NET_ADMIN","CAP_NET_RAW","CAP_SYS_ADMIN","CAP_SYS_CHROOT","CAP_MKNOD"])";

std::string configuration(const Variant& variant, const Place& place, bool limits) {
  std::string linux_part = formatted(R"("cgroupsPath":"/{}",)", container_name(place));
  if (limits) linux_part += kLimits;
  if (variant.seccomp) linux_part += kSeccomp;
  std::string namespaces =
      R"({"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network"},{"type":"cgroup"})";
  if (!variant.privileged) {
    namespaces += R"(,{"type":"user"})";
    for (const char* map : {"uidMappings", "gidMappings"})
      linux_part +=
          formatted(R"("{}":[{{"containerID":0,"hostID":{},"size":{}}}],)", map, kFirstHostId, kIdCount);
  }
  return formatted(
      R"({{"ociVersion":"1.0.0","hostname":"bench","root":{{"path":"{}"}},
"process":{{"cwd":"/","args":["/bin/sleep","1000"],"env":["container=oci"],"user":{{"uid":0,"gid":0}},
 "noNewPrivileges":false,"capabilities":{{"bounding":{},"effective":{},"permitted":{}}}}},
"mounts":{},
"linux":{{{}"namespaces":[{}],
 "maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys","/proc/sysrq-trigger"]}}}})",
      place.directory, kCapabilities, kCapabilities, kCapabilities, kMounts, linux_part, namespaces);
}

struct Runtime {
  std::string tool;
  std::vector<std::string> words;  // program and global options
  bool needs_unified_view = false;
  bool limits = true;
};

Contender oci_contender(const Arena& arena, const Runtime& runtime, const Variant& variant, unsigned index) {
  Contender contender;
  contender.tool = runtime.tool;
  contender.title = runtime.tool + " run -d";
  contender.exec_title = runtime.tool + " exec";
  contender.stop_title = runtime.tool + " delete -f";
  if (variant.rootfs != RootfsKind::directory) {
    contender.cannot = "takes mounted directories only";
    return contender;
  }
  const Place place = make_place(arena, variant, index);
  const std::string name = container_name(place);
  const std::string bundle = formatted("{}/{}-{}", arena.scratch, runtime.tool, place.vmid);
  write_configuration(bundle + "/config.json",
                      configuration(variant, place, runtime.limits && variant.limits));
  contender.leaves_out =
      list_of({variant.network ? "veth" : "", variant.limits && !runtime.limits ? "cgroups and limits" : ""});
  const auto command = [&](std::vector<std::string> words) {
    Command result;
    result.argv = runtime.words;
    result.argv.insert(result.argv.end(), words.begin(), words.end());
    result.needs_unified_view = runtime.needs_unified_view;
    return result;
  };
  contender.start = command({"run", "-d", "-b", bundle, name});
  contender.exec = command({"exec", name, "/bin/true"});
  contender.stop = command({"delete", "-f", name});
  contender.stop_counts = true;
  return contender;
}

}  // namespace

// crun refuses hosts with v1 hierarchies and a v2 tree.
Contender crun_contender(const Arena& arena, const std::string& program, const Variant& variant,
                         unsigned index) {
  const bool unified = host_is_unified();
  const std::string manager = unified ? "cgroupfs" : "disabled";
  const Runtime runtime = {"crun",
                           {program, "--root", arena.scratch + "/run/crun", "--cgroup-manager", manager},
                           !unified,
                           unified};
  return oci_contender(arena, runtime, variant, index);
}

Contender runc_contender(const Arena& arena, const std::string& program, const Variant& variant,
                         unsigned index) {
  return oci_contender(arena, {"runc", {program, "--root", arena.scratch + "/run/runc"}}, variant, index);
}

}  // namespace hutch::bench
