#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hutch {

// What has to be taken back when a sequence of steps fails: each step registers its undo right after
// it succeeded; `run` takes them back in reverse order. Unless `dismiss` was called, destruction runs
// what is left, so an exception on the way out cleans up.
class UndoStack {
 public:
  using Action = std::function<void()>;
  // Told about every undo that itself failed (its name and the reason); an undo never stops the others.
  using FailureSink = std::function<void(const std::string& name, const std::string& reason)>;

  explicit UndoStack(FailureSink on_failure = {}) : on_failure_(std::move(on_failure)) {}
  UndoStack(const UndoStack&) = delete;
  UndoStack& operator=(const UndoStack&) = delete;
  ~UndoStack() { run(); }

  void push(std::string name, Action action) { actions_.emplace_back(std::move(name), std::move(action)); }
  void run() noexcept;
  // The same for what was pushed since `size()` was `size`: one of several steps failed, the others stay.
  void run_back_to(std::size_t size) noexcept;
  // Success: nothing is taken back any more.
  void dismiss() { actions_.clear(); }
  bool empty() const { return actions_.empty(); }
  std::size_t size() const { return actions_.size(); }

 private:
  FailureSink on_failure_;
  std::vector<std::pair<std::string, Action>> actions_;
};

}  // namespace hutch
