#include "cli/password.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace hutch::cli {
namespace {

// Prompts with `input` as standard input; gives the password, or the error's text.
std::string prompt(std::string input, std::string& prompts) {
  std::FILE* in = std::tmpfile();
  std::fwrite(input.data(), 1, input.size(), in);
  std::rewind(in);
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  std::string result;
  try {
    result = prompt_new_password(in, out);
  } catch (const Error& error) {
    result = error.what();
  }
  std::fclose(in);
  std::fclose(out);
  prompts.assign(text, size);
  std::free(text);
  return result;
}

TEST(Password, IsAskedForTwice) {
  std::string prompts;
  EXPECT_EQ(prompt("se cret\nse cret\n", prompts), "se cret");
  EXPECT_EQ(prompts, "Enter new password: \nRetype new password: \n");
  EXPECT_EQ(prompt("secret\nsecret", prompts), "secret");
}

TEST(Password, MismatchAndEndOfInput) {
  std::string prompts;
  EXPECT_EQ(prompt("secret\nother\n", prompts), "passwords do not match");
  EXPECT_EQ(prompt("", prompts), "cannot read the password: the input ended");
  EXPECT_EQ(prompt("secret\n", prompts), "cannot read the password: the input ended");
}

}  // namespace
}  // namespace hutch::cli
