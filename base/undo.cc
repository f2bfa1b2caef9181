#include "base/undo.h"

#include <exception>

namespace hutch {

void UndoStack::run() noexcept {
  while (!actions_.empty()) {
    const auto [name, action] = std::move(actions_.back());
    actions_.pop_back();
    try {
      action();
    } catch (const std::exception& failure) {
      if (on_failure_) on_failure_(name, failure.what());
    }
  }
}

}  // namespace hutch
