#pragma once

#include <string>
#include <vector>

namespace hutch::docs {

// One test as text, to be searched for the keys that it is about.
struct TestText {
  std::string folder;  // "config", "golden", "kernel"
  std::string name;    // "LowerTest.Memory", "107-limits.hybrid.conf", "job_test.sh"
  std::string body;
};

// The tests below `directory` ("tests") in the order of their files: each TEST of a *_test.cc, each golden
// .conf, each *_test.sh. Left out are fuzz/ and docs/, which know keys without testing what they do, and the
// corpus of the round-trip test. Throws Error.
std::vector<TestText> find_tests(const std::string& directory);

// The TESTs of one C++ file.
std::vector<TestText> tests_in(const std::string& folder, std::string_view text);

}  // namespace hutch::docs
