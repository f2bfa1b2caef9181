#include "base/undo.h"

#include <exception>

namespace hutch {

void UndoStack::run() noexcept {
  run_back_to(0);
}

void UndoStack::run_back_to(std::size_t size) noexcept {
  while (actions_.size() > size) {
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
