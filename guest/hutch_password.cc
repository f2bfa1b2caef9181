// hutch-password: reads a password from standard input, to its end, and prints its SHA-512 crypt(5) hash with
// a random salt of 8 characters. Run by `pct create` (guest/password.h), which so needs no crypt(3) of its
// own.

#include <crypt.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace {

constexpr std::string_view kSaltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// Empty: the kernel has no random bytes (errno).
std::string random_salt() {
  std::array<unsigned char, 8> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string salt;
  for (const auto byte : bytes) salt += kSaltAlphabet[byte % kSaltAlphabet.size()];
  return salt;
}

int fail() {
  std::fprintf(stderr, "%s (%s)\n", strerrorname_np(errno), std::strerror(errno));
  return 1;
}

}  // namespace

int main() {
  std::string plain;
  for (int byte = std::getchar(); byte != EOF; byte = std::getchar()) plain += static_cast<char>(byte);
  if (std::ferror(stdin) != 0) return fail();
  const std::string salt = random_salt();
  if (salt.empty()) return fail();
  const auto data = std::make_unique<crypt_data>();
  errno = 0;
  const char* hash = ::crypt_r(plain.c_str(), ("$6$" + salt + "$").c_str(), data.get());
  // libxcrypt answers a refused text with a string that starts with '*' (crypt(3)).
  if (hash == nullptr || hash[0] == '*') return fail();
  return std::puts(hash) < 0 || std::fflush(stdout) != 0 ? fail() : 0;
}
