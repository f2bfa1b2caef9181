#pragma once

#include <chrono>
#include <cstddef>
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

// Whose turn it is in one round of `count` contenders: 0 to count - 1, each once. In count rounds (twice as
// many when the number is odd) each comes directly after each other equally often: what a tool leaves to the
// kernel would else be in the way of always the same next one. (E. J. Williams, 1949: balanced for residual
// effects.)
std::vector<std::size_t> turns(std::size_t count, std::size_t round);

// Starts, asks and stops each contender in turn, round by round. One that fails is taken out. Throws Error
// when a signal asks for the end; no container is left running.
void race(Runner& runner, std::vector<Entry>& entries, const RaceRules& rules);

// Ends a container that was started, and removes what its tool leaves.
void end_container(Runner& runner, const Contender& contender);
// The same, whatever happens: a container that does not run is no failure.
void end_container_anyway(Runner& runner, const Contender& contender) noexcept;

}  // namespace hutch::bench
