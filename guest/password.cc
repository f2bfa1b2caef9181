#include "guest/password.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/helper_program.h"
#include "base/process.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

constexpr std::string_view kSaltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool all_of_alphabet(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kSaltAlphabet) == std::string_view::npos;
}

// `fields`: what stands between and behind the "$" signs after the prefix.
bool salt_and_hash(const std::vector<std::string_view>& fields) {
  return fields.size() == 2 && fields[0].size() <= 16 && all_of_alphabet(fields[0]) &&
         all_of_alphabet(fields[1]);
}

// Replaces fields of root's line in a passwd-like text; nothing when root has no line.
std::optional<std::string> with_root_fields(std::string_view content,
                                            const std::vector<std::pair<std::size_t, std::string>>& changes) {
  std::string text;
  bool found = false;
  for (const auto line : split(content, '\n')) {
    if (found || !line.starts_with("root:")) {
      text.append(line).append("\n");
      continue;
    }
    found = true;
    const auto parts = split(line, ':');
    std::vector<std::string> fields(parts.begin(), parts.end());
    for (const auto& [index, value] : changes) {
      if (fields.size() <= index) fields.resize(index + 1);
      fields[index] = value;
    }
    text += join(fields, ":") + "\n";
  }
  text.pop_back();  // split gives one part more than there are newlines
  return found ? std::optional(text) : std::nullopt;
}

}  // namespace

bool is_password_hash(std::string_view text) {
  if (!text.starts_with('$')) return false;
  auto fields = split(text.substr(1), '$');
  const std::string_view kind = fields.front();
  fields.erase(fields.begin());
  if ((kind == "5" || kind == "6") && !fields.empty() && fields[0].starts_with("rounds=")) {
    if (!parse_unsigned(fields[0].substr(7))) return false;
    fields.erase(fields.begin());
  }
  static constexpr std::array<std::string_view, 8> kSalted{"1", "2", "2a", "2b", "2x", "2y", "5", "6"};
  if (std::find(kSalted.begin(), kSalted.end(), kind) != kSalted.end()) return salt_and_hash(fields);
  // yescrypt, gost-yescrypt: parameters, salt, hash; scrypt ($7$): parameters with salt, hash.
  const std::size_t count = kind == "y" || kind == "gy" ? 3 : kind == "7" ? 2 : 0;
  return count != 0 && fields.size() == count && std::all_of(fields.begin(), fields.end(), all_of_alphabet);
}

std::string hash_password(const std::string& plain) {
  ProgramOptions options;
  options.input = plain;
  const ProgramResult result = run_program({helper_program_path("hutch-password", "guest")}, options);
  if (!result.succeeded()) {
    throw Error(formatted("cannot hash the root password: {}",
                          trim(result.err).empty() ? result.status_text() : std::string(trim(result.err))));
  }
  return std::string(trim(result.out));
}

void write_root_password(const GuestRoot& root, std::string_view field, std::int64_t days, Report& report) {
  static const std::string kPasswd = "/etc/passwd";
  static const std::string kShadow = "/etc/shadow";
  const auto passwd = root.read(kPasswd);
  const auto shadow = root.read(kShadow);
  const auto new_passwd =
      passwd ? with_root_fields(*passwd, {{1, shadow ? "x" : std::string(field)}}) : std::nullopt;
  if (!new_passwd) {
    report.warn("root's password is not set: the container's /etc/passwd has no line for root");
    return;
  }
  if (shadow) {
    const auto new_shadow = with_root_fields(*shadow, {{1, std::string(field)}, {2, std::to_string(days)}});
    if (!new_shadow) {
      report.warn("root's password is not set: the container's /etc/shadow has no line for root");
      return;
    }
    root.write_keeping_owner(kShadow, *new_shadow);
  }
  root.write_keeping_owner(kPasswd, *new_passwd);
}

void set_root_password(const GuestRoot& root, const std::string& password, Report& report) {
  constexpr std::time_t kDay = 24 * 60 * 60;
  const std::string field = password.empty()             ? "*"
                            : is_password_hash(password) ? password
                                                         : hash_password(password);
  write_root_password(root, field, std::time(nullptr) / kDay, report);
}

}  // namespace hutch::guest
