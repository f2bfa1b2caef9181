// hutch-compare OLD.json NEW.json [--bound 1.15] [--tool NAME]: the regression check of the benchmark suite;
// compare.h says how it judges. Prints a table. Exit status 0, 1 when something got worse than the bound or
// is missing in the new run, 2 when the files cannot be compared or no series can be judged.

#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "bench/compare.h"

namespace hutch::bench {
namespace {

constexpr const char* kUsage = "usage: hutch-compare OLD.json NEW.json [--bound 1.15] [--tool NAME]";

struct Request {
  std::vector<std::string> files;
  ComparisonOptions options;
};

Request parse(const std::vector<std::string>& words) {
  Request request;
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (!word->starts_with("--")) {
      request.files.push_back(*word);
      continue;
    }
    const std::string name = *word;
    if (name != "--bound" && name != "--tool") throw Error(formatted("cannot use '{}'", name), 0, kUsage);
    if (++word == words.end()) throw Error(formatted("cannot use '{}': it needs a value", name), 0, kUsage);
    if (name == "--tool") {
      request.options.tool = *word;
      continue;
    }
    const auto bound = parse_double(*word);
    if (!bound || *bound < 1) {
      throw Error(formatted("cannot use '--bound {}': it takes a number from 1 on", *word), 0, kUsage);
    }
    request.options.bound = *bound;
  }
  if (request.files.size() != 2) throw Error("cannot compare: it takes two files", 0, kUsage);
  return request;
}

int run(const std::vector<std::string>& words) {
  const Request request = parse(words);
  const Results older = read_results(request.files[0]);
  const Results newer = read_results(request.files[1]);
  const ComparisonReport report = compare(older, newer, request.options);
  std::cout << report_text(report, request.options);
  if (report.failed()) return 1;
  if (report.judged() == 0) {
    throw Error("cannot compare: no series could be judged", 0, "the table says why, series by series");
  }
  return 0;
}

}  // namespace
}  // namespace hutch::bench

int main(int argc, char** argv) {
  try {
    return hutch::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "hutch-compare: " << error.what() << '\n';
    return 2;
  }
}
