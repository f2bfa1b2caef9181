// Feeds a parser with inputs made from known ones. The seed and the number of a run name its input, so a
// finding is repeated with --seed S --first N --runs 1. Run it from the top of the source tree.

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "tests/fuzz/target.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace hutch::fuzz {
namespace {

struct Request {
  const Target* target = nullptr;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;
  std::uint64_t runs = 1000000;
};

// What a crash is told with.
struct Current {
  Request request;
  std::uint64_t run = 0;
};
Current current;

void print_place() {
  const Request& request = current.request;
  std::fprintf(stderr, "repeat: hutch-fuzz --target %s --seed %llu --first %llu --runs 1\n",
               std::string(request.target->name).c_str(), static_cast<unsigned long long>(request.seed),
               static_cast<unsigned long long>(current.run));
}

void usage() {
  std::fprintf(stderr, "usage: hutch-fuzz --target T [--runs N] [--seed S] [--first N]\ntargets:\n");
  for (const auto& target : targets()) {
    std::fprintf(stderr, "  %-16s %s\n", std::string(target.name).c_str(),
                 std::string(target.property).c_str());
  }
}

std::optional<Request> read_request(const std::vector<std::string_view>& words) {
  Request request;
  if (words.size() % 2 != 0) return std::nullopt;
  for (std::size_t at = 0; at < words.size(); at += 2) {
    const auto number = parse_unsigned(words[at + 1]);
    if (words[at] == "--target") {
      for (const auto& target : targets()) {
        if (target.name == words[at + 1]) request.target = &target;
      }
    } else if (!number) {
      return std::nullopt;
    } else if (words[at] == "--runs") {
      request.runs = *number;
    } else if (words[at] == "--seed") {
      request.seed = *number;
    } else if (words[at] == "--first") {
      request.first = *number;
    } else {
      return std::nullopt;
    }
  }
  return request.target == nullptr ? std::nullopt : std::optional(request);
}

int run(const Request& request) {
  const Material material = request.target->material();
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t bytes = 0;
  current.request = request;
  for (current.run = request.first; current.run < request.first + request.runs; ++current.run) {
    Random random(request.seed * 0x9e3779b97f4a7c15ULL ^ current.run);
    const std::string input = mutated(random, material);
    bytes += input.size();
    try {
      request.target->run(input);
    } catch (const std::exception& finding) {
      std::fprintf(stderr, "finding: %s\ninput (%zu bytes):\n", finding.what(), input.size());
      std::fwrite(input.data(), 1, input.size(), stderr);
      std::fputc('\n', stderr);
      print_place();
      return 1;
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%s: %llu inputs of %llu bytes on average, seed %llu, %.1f s, no finding\n",
              std::string(request.target->name).c_str(), static_cast<unsigned long long>(request.runs),
              static_cast<unsigned long long>(request.runs == 0 ? 0 : bytes / request.runs),
              static_cast<unsigned long long>(request.seed), seconds.count());
  return 0;
}

}  // namespace
}  // namespace hutch::fuzz

int main(int argc, char** argv) {
  using namespace hutch::fuzz;
  const auto request = read_request({argv + 1, argv + argc});
  if (!request) {
    usage();
    return 2;
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(print_place);
#endif
  return run(*request);
}
