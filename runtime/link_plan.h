#pragma once

#include <string>
#include <vector>

#include "runtime/start_plan.h"

// Which steps make a container's links: of a start, and of a link that comes to a running container.
namespace hutch {

struct LinkPlanContext {
  std::string container;                      // its name for scripts: "100"
  std::vector<std::string> hook_environment;  // what its hooks find; empty where no link has scripts
  unsigned hook_version = 0;
};
LinkPlanContext link_plan_context(const ContainerSpec& spec, const Sysroot& sysroot);

// Throws Error with the link's origin for what this host cannot have: no such bridge, an MTU that is too
// large, VLANs on a bridge without, ...
void check_link(const LinkSpec& link, const HostFacts& facts);

// The steps, in order. The link has been checked.
std::vector<HostStep> plan_link(const LinkSpec& link, const HostFacts& facts, const LinkPlanContext& context);

// Adds what the container's end has to do about the link to the record, besides host_links.
void record_link(const LinkSpec& link, const HostFacts& facts, const LinkPlanContext& context,
                 ContainerState& state);

// The part of it about other links that answer for the link's addresses.
void record_proxies(const LinkSpec& link, ContainerState& state);

}  // namespace hutch
