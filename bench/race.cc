#include "bench/race.h"

#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/undo.h"

namespace hutch::bench {

namespace {

// What is to be done after the tool's own stop.
void clear_up(Runner& runner, const Contender& contender) {
  runner.end_foreground();
  reap_orphans();
  for (const auto& path : contender.stale) remove_tree(AT_FDCWD, path);
}

void run_once(Runner& runner, Entry& entry, const RaceRules& rules, bool counted) {
  const Contender& contender = entry.contender;
  UndoStack undo;
  // Before the start: one that fails half-way may leave a container.
  undo.push("container", [&] { end_container_anyway(runner, contender); });
  const double started = runner.run(contender.start).count();
  const bool asks = rules.exec && !contender.exec.empty();
  const double asked = asks ? runner.run(contender.exec).count() : 0;
  const double stopped = contender.stop.empty() ? 0 : runner.run(contender.stop).count();
  undo.dismiss();
  clear_up(runner, contender);
  if (!counted) return;
  entry.start.push_back(started);
  if (asks) entry.exec.push_back(asked);
  if (contender.stop_counts) entry.stop.push_back(stopped);
}

}  // namespace

void end_container(Runner& runner, const Contender& contender) {
  if (!contender.stop.empty()) runner.run(contender.stop);
  clear_up(runner, contender);
}

void end_container_anyway(Runner& runner, const Contender& contender) noexcept {
  try {
    end_container(runner, contender);
  } catch (const Error&) {
    // What is left nevertheless is found at the end of the run (left_behind).
    return;
  }
}

std::vector<std::size_t> turns(std::size_t count, std::size_t round) {
  std::vector<std::size_t> order;
  for (std::size_t at = 0; at < count; ++at) {
    // 0, 1, count - 1, 2, count - 2 …: all steps from one to the next differ.
    const std::size_t zigzag = at % 2 == 1 ? (at + 1) / 2 : (count - at / 2) % count;
    order.push_back((zigzag + round) % count);
  }
  if (count % 2 == 1 && round / count % 2 == 1) std::reverse(order.begin(), order.end());
  return order;
}

void race(Runner& runner, std::vector<Entry>& entries, const RaceRules& rules) {
  for (int round = -rules.warm_up; round < rules.rounds; ++round) {
    for (const auto at : turns(entries.size(), static_cast<std::size_t>(round + rules.warm_up))) {
      auto& entry = entries[at];
      if (!entry.failure.empty() || !entry.contender.cannot.empty()) continue;
      std::this_thread::sleep_for(kPause);
      stop_if_interrupted();
      try {
        run_once(runner, entry, rules, round >= 0);
      } catch (const Error& error) {
        stop_if_interrupted();
        entry.failure = error.what();
      }
    }
  }
}

}  // namespace hutch::bench
