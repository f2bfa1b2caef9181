#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "base/process.h"
#include "cli/command_table.h"
#include "cli/config_store.h"

namespace hutch::cli::testing {

// A host of its own below a temporary directory, removed at the end.
class TemporaryHost {
 public:
  TemporaryHost() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hutch-cli-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = pattern;
  }
  TemporaryHost(const TemporaryHost&) = delete;
  TemporaryHost& operator=(const TemporaryHost&) = delete;
  ~TemporaryHost() {
    // A test that failed may have left a supervisor behind that removes its own files at the same time.
    std::error_code error;
    for (int tries = 0; tries < 100; ++tries) {
      std::filesystem::remove_all(root_, error);
      if (!error) return;
    }
    std::cerr << "cannot remove " << root_ << ": " << error.message() << "\n";
  }

  const std::string& root() const { return root_; }
  Sysroot sysroot() const { return Sysroot(root_); }
  std::string path(const std::string& relative) const { return root_ + "/" + relative; }

  void write(const std::string& relative, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(relative)).parent_path());
    std::ofstream(path(relative), std::ios::binary) << text;
  }
  std::string read(const std::string& relative) const {
    std::ifstream file(path(relative), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void add_container(unsigned vmid, const std::string& text) const {
    ConfigStore(sysroot()).write(vmid, text);
  }
  std::string config(unsigned vmid) const { return ConfigStore(sysroot()).read(vmid); }

 private:
  std::string root_;
};

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

// Runs one pct command line in this process.
inline Outcome run_pct(const std::vector<std::string>& words) {
  char* out_text = nullptr;
  char* err_text = nullptr;
  std::size_t out_size = 0;
  std::size_t err_size = 0;
  std::FILE* out = ::open_memstream(&out_text, &out_size);
  std::FILE* err = ::open_memstream(&err_text, &err_size);
  Outcome outcome;
  outcome.status = run_command_line(words, out, err);
  std::fclose(out);
  std::fclose(err);
  outcome.out.assign(out_text, out_size);
  outcome.err.assign(err_text, err_size);
  std::free(out_text);
  std::free(err_text);
  return outcome;
}

inline Outcome run_pct(const TemporaryHost& host, std::vector<std::string> words) {
  words.insert(words.begin(), {"--root", host.root()});
  return run_pct(words);
}

// The same in a process of its own, as people do; for test programs with main.cc.
inline Outcome run_pct_process(const TemporaryHost& host, std::vector<std::string> words) {
  words.insert(words.begin(), {"/proc/self/exe", "pct", "--root", host.root()});
  const ProgramResult result = run_program(words);
  return {WIFEXITED(result.status) ? WEXITSTATUS(result.status) : -1, result.out, result.err};
}

}  // namespace hutch::cli::testing
