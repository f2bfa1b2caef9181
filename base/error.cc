#include "base/error.h"

#include <string.h>

#include <cerrno>
#include <utility>

#include "base/format.h"

namespace hutch {

namespace {

std::string compose(const std::string& action, int error_number, const std::string& hint,
                    const Origin& origin) {
  std::string text = action;
  if (error_number != 0) text += ": " + errno_text(error_number);
  if (!origin.empty()) text += " [" + origin.text() + "]";
  if (!hint.empty()) text += "; " + hint;
  return text;
}

}  // namespace

std::string errno_text(int error_number) {
  const char* name = strerrorname_np(error_number);
  if (name == nullptr) return formatted("errno {}", error_number);
  return formatted("{} ({})", name, strerrordesc_np(error_number));
}

Error::Error(std::string action, int error_number, std::string hint, Origin origin)
    : action_(std::move(action)),
      error_number_(error_number),
      hint_(std::move(hint)),
      origin_(std::move(origin)),
      text_(compose(action_, error_number_, hint_, origin_)) {}

Error Error::with_origin(const Origin& origin) const {
  return Error(action_, error_number_, hint_, origin_.empty() ? origin : origin_);
}

Error Error::with_hint(std::string hint) const {
  return Error(action_, error_number_, hint_.empty() ? std::move(hint) : hint_, origin_);
}

Error Error::with_context(std::string_view outer) const {
  return Error(std::string(outer) + ": " + action_, error_number_, hint_, origin_);
}

void throw_errno(std::string action, std::string hint) {
  const int saved = errno;
  throw Error(std::move(action), saved, std::move(hint));
}

}  // namespace hutch
