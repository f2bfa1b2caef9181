#include "seccomp/cache.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "bpf_interpreter.h"
#include "policies.h"

namespace hutch::seccomp {
namespace {

const std::string policy = common_policy;

BpfProgram sample() {
  return {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0x7fff0000}};
}

TEST(CacheFile, HoldsTheProgram) {
  const auto decoded = decode_cache_file(encode_cache_file(policy, sample()), policy);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(bytes_of(*decoded), bytes_of(sample()));
}

TEST(CacheFile, EveryChangedByteIsNoticed) {
  const std::string whole = encode_cache_file(policy, sample());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_FALSE(decode_cache_file(changed, policy)) << "byte " << i;
  }
}

TEST(CacheFile, EveryOtherLengthIsNoticed) {
  const std::string whole = encode_cache_file(policy, sample());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_cache_file(whole.substr(0, size), policy)) << size;
  }
  EXPECT_FALSE(decode_cache_file(whole + '\0', policy));
  EXPECT_FALSE(decode_cache_file(whole + std::string(8, '\0'), policy));
}

TEST(CacheFile, ProgramOfAnotherPolicyIsNotTaken) {
  std::string other = policy;
  other.back() = '\r';
  EXPECT_FALSE(decode_cache_file(encode_cache_file(other, sample()), policy));
}

TEST(CacheFile, EmptyProgramIsNotTaken) {
  EXPECT_FALSE(decode_cache_file(encode_cache_file(policy, {}), policy));
}

TEST(CacheFile, NameFollowsThePolicy) {
  EXPECT_EQ(cache_file_name(policy), cache_file_name(policy));
  EXPECT_NE(cache_file_name(policy), cache_file_name(policy + "\n"));
  EXPECT_EQ(cache_file_name(policy).size(), 20U);
  EXPECT_TRUE(cache_file_name(policy).ends_with(".bpf"));
}

TEST(Cache, BadPolicyThrowsWithItsLine) {
  try {
    load_or_compile("2\ndenylist\nread frob\n", {"x.seccomp", 0}, "/nonexistent/hutch-cache");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin().text(), "x.seccomp:3");
  }
}

}  // namespace
}  // namespace hutch::seccomp
