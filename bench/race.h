#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bench/contender.h"
#include "bench/timed_process.h"

namespace hutch::bench {

// Lets the kernel finish the last container's network namespace, which it removes in the background holding
// the lock that every link needs.
inline constexpr auto kPause = std::chrono::milliseconds(150);

// A contender and what was measured of it, in milliseconds.
struct Entry {
  Contender contender;
  bool required = false;
  std::vector<double> start;
  std::vector<double> exec;
  std::vector<double> stop;
  std::string failure;  // not empty: taken out of the race
};

struct RaceRules {
  int rounds = 1;
  int warm_up = 3;
  bool exec = false;
};

// Starts, asks and stops each contender in turn, round by round, each round beginning with the next one. One
// that fails is taken out. Throws Error when a signal asks for the end; no container is left running.
void race(Runner& runner, std::vector<Entry>& entries, const RaceRules& rules);

// Ends a container that was started, and removes what its tool leaves.
void end_container(Runner& runner, const Contender& contender);
// The same, whatever happens: a container that does not run is no failure.
void end_container_anyway(Runner& runner, const Contender& contender) noexcept;

}  // namespace hutch::bench
