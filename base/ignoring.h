#pragma once

#include "base/error.h"

namespace hutch {

// Does `action`, for which the errno `accepted` says that there is nothing to do (ENODEV of a deletion, say).
template <typename Action>
void ignoring(int accepted, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.error_number() != accepted) throw;
  }
}

}  // namespace hutch
