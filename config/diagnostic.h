#pragma once

#include <string>
#include <vector>

#include "base/origin.h"

namespace hutch::config {

// Something in a config that the user should know about although reading or lowering went on.
struct Diagnostic {
  enum class Severity {
    // Told to the user; the command goes on.
    warning,
    // From the reader: a line or value that was not understood (it is kept). From lowering: a setting that
    // must not be left out silently (it protects something); the container must not be started.
    error,
  };

  Severity severity = Severity::warning;
  std::string message;
  Origin origin;

  bool operator==(const Diagnostic&) const = default;
  // "100.conf:12: message"; without an origin only the message.
  std::string text() const { return origin.empty() ? message : origin.text() + ": " + message; }
};

using Diagnostics = std::vector<Diagnostic>;

inline bool has_errors(const Diagnostics& diagnostics) {
  for (const auto& diagnostic : diagnostics) {
    if (diagnostic.severity == Diagnostic::Severity::error) return true;
  }
  return false;
}

}  // namespace hutch::config
