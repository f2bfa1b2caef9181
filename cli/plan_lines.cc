#include "cli/plan_lines.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/options.h"

namespace hutch::cli {

namespace {

// Options that no start reads.
constexpr std::string_view kOtherCommands[] = {"cmode",      "lock",     "onboot",    "parent",
                                               "protection", "snaptime", "snapstate", "startup",
                                               "tags",       "template", "unused"};

bool is_of_other_commands(std::string_view key) {
  const auto* option = config::find_option(key);
  return option != nullptr && std::find(std::begin(kOtherCommands), std::end(kOtherCommands), option->name) !=
                                  std::end(kOtherCommands);
}

// A line of the main section, and how to get a config without it.
struct Entry {
  enum class Kind { option, variable, raw };
  Kind kind{};
  std::string key;
  std::string value;
  Origin origin;
};

std::vector<Entry> entries_of(const config::Section& section) {
  std::vector<Entry> entries;
  for (const auto& [key, value] : section.options)
    entries.push_back({Entry::Kind::option, key, value.value, value.origin});
  for (const auto& variable : section.environment)
    entries.push_back({Entry::Kind::variable, "lxc.environment.runtime", variable.value, variable.origin});
  for (const auto& raw : section.raw) entries.push_back({Entry::Kind::raw, raw.key, raw.value, raw.origin});
  return entries;
}

void remove_entry(config::Section& section, const Entry& entry) {
  const auto is_it = [&entry](const auto& other) {
    return other.origin == entry.origin && other.value == entry.value;
  };
  switch (entry.kind) {
    case Entry::Kind::option:
      // Every start needs these two: "without" is the value that asks for nothing.
      if (entry.key == "arch" || entry.key == "ostype") {
        section.set(entry.key, entry.key == "arch" ? "amd64" : "unmanaged", entry.origin);
      } else {
        section.erase(entry.key);
      }
      return;
    case Entry::Kind::variable: std::erase_if(section.environment, is_it); return;
    case Entry::Kind::raw: std::erase_if(section.raw, is_it); return;
  }
}

// Lines of one family make one thing together: those of a link, or of one key that is a list.
std::string_view family_of(std::string_view key) {
  constexpr std::string_view kLink = "lxc.net.";
  constexpr std::string_view kOldLink = "lxc.network.";
  if (key.starts_with(kOldLink)) return kOldLink;
  return key.starts_with(kLink) ? key.substr(0, key.find('.', kLink.size())) : key;
}

// How many variants of a config are planned at most: each takes as long as planning a start.
constexpr int kMostVariants = 300;
constexpr const char* kTooManyVariants =
    "not traced: the config has more lines than variants of it are planned";

// A step as text, to tell the steps of two plans apart.
using StepText = std::tuple<bool, std::string, std::string>;

std::vector<std::pair<StepText, StepNumber>> numbered_steps(const StartPlan& plan) {
  std::vector<std::pair<StepText, StepNumber>> steps;
  for (std::size_t at = 0; at < plan.host.size(); ++at)
    steps.push_back({{false, plan.host[at].text, plan.host[at].undo}, {false, at + 1}});
  for (std::size_t at = 0; at < plan.child.info.size(); ++at)
    steps.push_back({{true, plan.child.info[at].text, {}}, {true, at + 1}});
  return steps;
}

// The steps of `plan` that `other` has not.
std::vector<std::pair<StepText, StepNumber>> steps_beyond(const StartPlan& plan, const StartPlan& other) {
  std::map<StepText, int> left;
  for (const auto& [text, number] : numbered_steps(other)) ++left[text];
  std::vector<std::pair<StepText, StepNumber>> beyond;
  for (const auto& step : numbered_steps(plan)) {
    if (--left[step.first] < 0) beyond.push_back(step);
  }
  return beyond;
}

void add_child_step(std::vector<StepNumber>& steps, const StartPlan& plan, ChildOp op) {
  for (std::size_t at = 0; at < plan.child.steps.size(); ++at) {
    if (plan.child.steps[at].op == op) steps.push_back({true, at + 1});
  }
}

template <typename Action>
void add_host_step(std::vector<StepNumber>& steps, const StartPlan& plan) {
  for (std::size_t at = 0; at < plan.host.size(); ++at) {
    if (std::holds_alternative<Action>(plan.host[at].action)) steps.push_back({false, at + 1});
  }
}

// Steps that look the same and do something else.
std::vector<StepNumber> steps_with_other_details(const PlannedStart& start, const PlannedStart& without) {
  std::vector<StepNumber> steps;
  const StartPlan& plan = start.plan;
  const ContainerSpec& spec = plan.spec;
  const ContainerSpec& other = without.plan.spec;
  if (start.guest != without.guest) add_host_step<host::SetUpGuest>(steps, plan);
  if (spec.apparmor != other.apparmor) add_host_step<host::LoadAppArmorProfile>(steps, plan);
  if (spec.devices != other.devices) add_host_step<host::AttachDeviceFilter>(steps, plan);
  if (spec.signals != other.signals) add_host_step<host::WriteState>(steps, plan);
  if (spec.capabilities != other.capabilities) add_child_step(steps, plan, ChildOp::drop_bounding);
  if (spec.seccomp != other.seccomp) add_child_step(steps, plan, ChildOp::seccomp);
  if (spec.init != other.init) add_child_step(steps, plan, ChildOp::exec);
  return steps;
}

bool same_start(const PlannedStart& one, const PlannedStart& other) {
  return one.plan.spec == other.plan.spec && one.guest == other.guest;
}

class LineTracer {
 public:
  LineTracer(const config::ContainerConfig& config, const PlannedStart& start, const Planner& plan)
      : config_(config), start_(start), plan_(plan), entries_(entries_of(config.main)) {
    for (std::size_t at = 0; at < start.plan.host.size(); ++at)
      of_origin_[start.plan.host[at].origin.text()].push_back({false, at + 1});
    for (std::size_t at = 0; at < start.plan.child.info.size(); ++at)
      of_origin_[start.plan.child.info[at].origin.text()].push_back({true, at + 1});
  }

  std::vector<PlanLine> trace(const config::Diagnostics& read) {
    std::vector<PlanLine> lines;
    // All comparisons first: the search for what overrides a line takes many variants, each of them one.
    std::vector<Without> findings;
    for (const auto& entry : entries_) {
      lines.push_back({entry.origin, entry.key + ": " + entry.value, {}, {}});
      findings.push_back(trace_entry(entry, lines.back()));
    }
    const std::vector<PlanLine> own = lines;
    for (std::size_t at = 0; at < entries_.size(); ++at) {
      if (findings[at] == Without::same_start) lines[at].reason = overriding_line(entries_[at]);
      if (findings[at] == Without::no_start) take_steps_of_family(at, own, lines[at]);
    }
    add_unused_lines(lines, read);
    add_lines_of_other_files(lines);
    std::stable_sort(lines.begin(), lines.end(), [](const PlanLine& one, const PlanLine& other) {
      return std::tie(one.origin.source, one.origin.line) < std::tie(other.origin.source, other.origin.line);
    });
    return lines;
  }

 private:
  bool has_variants(int count) const { return variants_ + count <= kMostVariants; }

  std::optional<PlannedStart> without(const std::vector<const Entry*>& left_out, std::string* failure) {
    ++variants_;
    config::ContainerConfig config = config_;
    for (const auto* entry : left_out) remove_entry(config.main, *entry);
    try {
      return plan_(config);
    } catch (const Error& error) {
      if (failure != nullptr) *failure = error.action();
      return std::nullopt;
    }
  }

  // What the comparison with a config without the line has come to.
  enum class Without { other_start, same_start, no_start };

  Without trace_entry(const Entry& entry, PlanLine& line) {
    for (const auto& diagnostic : start_.diagnostics) {
      if (diagnostic.origin == entry.origin) line.reason = diagnostic.message;
    }
    const auto own = of_origin_.find(entry.origin.text());
    // Steps of the defaults ("default", without a line) are no line's own.
    if (entry.origin.line != 0 && own != of_origin_.end()) {
      line.steps = own->second;
    } else if (is_of_other_commands(entry.key)) {
      line.reason = "read by other commands, not by a start";
    } else if (line.reason.empty()) {
      return compare_without(entry, line);
    }
    return Without::other_start;
  }

  Without compare_without(const Entry& entry, PlanLine& line) {
    if (!has_variants(1)) {
      line.reason = kTooManyVariants;
      return Without::other_start;
    }
    std::string failure;
    const auto other = without({&entry}, &failure);
    if (!other) {
      line.reason = formatted("there is no start without it ({})", failure);
      return Without::no_start;
    }
    if (same_start(start_, *other)) return Without::same_start;
    for (const auto& [text, number] : steps_beyond(start_.plan, other->plan)) line.steps.push_back(number);
    if (line.steps.empty()) line.steps = steps_with_other_details(start_, *other);
    if (!line.steps.empty()) return Without::other_start;
    std::vector<std::string> left_out;
    for (const auto& [text, number] : steps_beyond(other->plan, start_.plan))
      left_out.push_back(std::get<1>(text));
    line.reason = left_out.empty() ? "changes what the container is, but no step"
                                   : "takes steps away: " + join(left_out, "; ");
    return Without::other_start;
  }

  // Lines that only make sense together (half an id map, a link without its type) cannot be told apart by
  // leaving one out: the nearest relative that has steps stands for the line.
  void take_steps_of_family(std::size_t at, const std::vector<PlanLine>& own, PlanLine& line) const {
    const std::string_view family = family_of(entries_[at].key);
    // Of two that are as near, the one with fewer steps says more.
    std::pair nearest{entries_.size(), std::size_t{0}};
    for (std::size_t other = 0; other < entries_.size(); ++other) {
      const auto& steps = own[other].steps;
      if (steps.empty() || family_of(entries_[other].key) != family) continue;
      const std::pair distance{other < at ? at - other : other - at, steps.size()};
      if (distance >= nearest) continue;
      nearest = distance;
      line.steps = steps;
    }
    if (!line.steps.empty()) line.reason.clear();
  }

  // Raw lines, those of the same key first: they are the likeliest to override it.
  std::vector<const Entry*> raw_lines_for(const Entry& entry) const {
    std::vector<const Entry*> others;
    for (const auto& other : entries_) {
      if (other.kind == Entry::Kind::raw && other.origin != entry.origin) others.push_back(&other);
    }
    std::stable_partition(others.begin(), others.end(),
                          [&entry](const Entry* other) { return other->key == entry.key; });
    return others;
  }

  // The first line that has to go, too, for this one to matter.
  std::string overriding_line(const Entry& entry) {
    for (const auto* other : raw_lines_for(entry)) {
      if (!has_variants(2))
        return "changes nothing; whether another line overrides it was not looked for: the config has too "
               "many";
      const auto without_other = without({other}, nullptr);
      const auto without_both = without({other, &entry}, nullptr);
      if (without_other && (!without_both || !same_start(*without_other, *without_both)))
        return formatted("overridden by {}", other->origin.text());
    }
    return "says what holds without it, too";
  }

  void add_unused_lines(std::vector<PlanLine>& lines, const config::Diagnostics& read) const {
    for (const auto& diagnostic : read) {
      const auto known = std::find_if(lines.begin(), lines.end(), [&diagnostic](const PlanLine& line) {
        return line.origin == diagnostic.origin;
      });
      if (known != lines.end()) {
        if (known->steps.empty()) known->reason = diagnostic.message;
      } else {
        lines.push_back({diagnostic.origin, {}, {}, diagnostic.message});
      }
    }
  }

  // Lines of included files lead to steps, too.
  void add_lines_of_other_files(std::vector<PlanLine>& lines) const {
    const auto add = [&lines](const Origin& origin, StepNumber step) {
      if (origin.line == 0) return;
      const auto found = std::find_if(lines.begin(), lines.end(),
                                      [&origin](const PlanLine& line) { return line.origin == origin; });
      if (found == lines.end()) {
        lines.push_back({origin, {}, {step}, {}});
      } else if (found->text.empty()) {
        found->steps.push_back(step);
      }
    };
    for (std::size_t at = 0; at < start_.plan.host.size(); ++at)
      add(start_.plan.host[at].origin, {false, at + 1});
    for (std::size_t at = 0; at < start_.plan.child.info.size(); ++at)
      add(start_.plan.child.info[at].origin, {true, at + 1});
  }

  const config::ContainerConfig& config_;
  const PlannedStart& start_;
  const Planner& plan_;
  std::vector<Entry> entries_;
  int variants_ = 0;  // planned so far
  std::map<std::string, std::vector<StepNumber>> of_origin_;
};

}  // namespace

std::vector<PlanLine> trace_lines(const config::ContainerConfig& config, const config::Diagnostics& read,
                                  const PlannedStart& start, const Planner& plan) {
  return LineTracer(config, start, plan).trace(read);
}

}  // namespace hutch::cli
