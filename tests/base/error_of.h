#pragma once

#include <string>

#include "base/error.h"

namespace hutch {

// The errno of the Error that `action` throws; 0 when it throws none.
template <typename Action>
int errno_of(Action&& action) {
  try {
    action();
    return 0;
  } catch (const Error& error) {
    return error.error_number();
  }
}

// The text of the Error that `action` throws; "" when it throws none.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace hutch
