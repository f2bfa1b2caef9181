#include "guest/setup.h"

#include <string>

#include "base/error.h"
#include "base/format.h"
#include "guest/crontab.h"
#include "guest/hostname.h"
#include "guest/machine_id.h"
#include "guest/os_family.h"
#include "guest/password.h"
#include "guest/resolv_conf.h"
#include "guest/snakeoil.h"
#include "guest/ssh_host_keys.h"
#include "guest/ssh_keys.h"
#include "guest/timezone.h"

namespace hutch::guest {

namespace {

struct Step {
  const char* name;  // as in "error in setup task <name>"
  void (*run)(const SetupContext&);
};

void family_step(const SetupContext& context, FamilyStep step, std::string_view what) {
  if (step != nullptr) {
    step(context);
    return;
  }
  context.report.warn(
      formatted("the {} of ostype {} cannot be set up by this version; do it inside the container", what,
                os_type_name(context.os.type)));
}

void template_fixup(const SetupContext& context) {
  family_step(context, os_family(context.os.type).template_fixup, "template leftovers");
}
void init_and_getty(const SetupContext& context) {
  family_step(context, os_family(context.os.type).init_and_getty, "init and console logins");
}
void network(const SetupContext& context) {
  family_step(context, os_family(context.os.type).network, "network files");
}

// The machinery that a start and a create share.
constexpr Step kInit{"init_and_getty", init_and_getty};
constexpr Step kNetwork{"network", network};
constexpr Step kTemplate{"template_fixup", template_fixup};
constexpr Step kHostname{"hostname", [](const SetupContext& context) {
                           write_hostname(context.root, context.settings.hostname,
                                          os_family(context.os.type).hostname);
                         }};
constexpr Step kHosts{"hosts",
                      [](const SetupContext& context) { write_hosts(context.root, context.settings); }};
constexpr Step kDns{"dns", [](const SetupContext& context) {
                      write_resolv_conf(context.root, effective_dns(context.settings));
                    }};
constexpr Step kTimezone{"timezone", [](const SetupContext& context) {
                           write_timezone(context.root, context.settings.timezone,
                                          context.settings.host_localtime, context.report);
                         }};
constexpr Step kNesting{"nesting_check", [](const SetupContext& context) {
                          check_nesting(context.os.init, context.settings.nesting, context.report);
                        }};
constexpr Step kCgroup2{"cgroup_v2_check", [](const SetupContext& context) {
                          check_cgroup_v2(context.os.init, context.os.type, context.report);
                        }};

constexpr Step kCreate[] = {
    {"machine_id", [](const SetupContext& context) { clear_machine_id(context.root, context.os.init); }},
    {"snakeoil",
     [](const SetupContext& context) {
       if (os_family(context.os.type).has_snakeoil) {
         replace_snakeoil_key(context.root, context.os.init, context.report);
       }
     }},
    kTemplate,
    {"crontab", [](const SetupContext& context) { randomize_crontabs(context.root); }},
    {"root_password",
     [](const SetupContext& context) {
       set_root_password(context.root, context.settings.password, context.report);
     }},
    {"root_ssh_keys",
     [](const SetupContext& context) {
       write_authorized_keys(context.root, context.settings.ssh_public_keys, context.report);
     }},
    kInit,
    kNetwork,
    kHostname,
    kHosts,
    kDns,
    kTimezone,
    {"ssh_host_keys",
     [](const SetupContext& context) { context.host_keys->write(context.root, context.report); }},
    kNesting,
};

constexpr Step kStart[] = {
    // sysvinit's sign that the file systems, which are the host's business, need no check.
    {"fastboot", [](const SetupContext& context) { context.root.write("/fastboot", ""); }},
    kInit,
    kNetwork,
    kHostname,
    kHosts,
    kDns,
    kTimezone,
    kNesting,
    kCgroup2,
};

constexpr Step kNetworkOnly[] = {kNetwork};

constexpr Step kClone[] = {
    {"machine_id", [](const SetupContext& context) { renew_machine_id(context.root, context.os.init); }},
    kNesting,
};

constexpr Step kRestore[] = {kTemplate};

template <std::size_t N>
DetectedOs run(const Step (&steps)[N], const GuestRoot& root, const GuestSettings& settings, Report& report,
               SshHostKeys* host_keys = nullptr) {
  const DetectedOs os = detect_os(root, settings.ostype, report);
  if (os.type == OsType::unmanaged) return os;
  const SetupContext context{root, settings, os, report, host_keys};
  for (const auto& step : steps) {
    try {
      step.run(context);
    } catch (const Error& failed) {
      throw failed.with_context(formatted("error in setup task {}", step.name));
    }
  }
  return os;
}

}  // namespace

DetectedOs setup_on_create(const GuestRoot& root, const GuestSettings& settings, SshHostKeys& host_keys,
                           Report& report) {
  return run(kCreate, root, settings, report, &host_keys);
}

DetectedOs setup_on_start(const GuestRoot& root, const GuestSettings& settings, Report& report) {
  return run(kStart, root, settings, report);
}

DetectedOs setup_network(const GuestRoot& root, const GuestSettings& settings, Report& report) {
  return run(kNetworkOnly, root, settings, report);
}

DetectedOs setup_on_clone(const GuestRoot& root, const GuestSettings& settings, Report& report) {
  return run(kClone, root, settings, report);
}

DetectedOs setup_on_restore(const GuestRoot& root, const GuestSettings& settings, Report& report) {
  return run(kRestore, root, settings, report);
}

}  // namespace hutch::guest
