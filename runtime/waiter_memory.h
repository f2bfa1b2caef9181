#pragma once

#include <string>
#include <vector>

#include "runtime/waiter.h"

namespace hutch {

// The memory that a waiter (runtime/waiter.h) keeps when everything else is unmapped: its orders, with all
// that they point to, at the bottom, its stack at the top. It belongs to the supervisor from then on and is
// never freed here.
class WaiterMemory {
 public:
  // Room for orders with these commands and this environment, which are filled in.
  WaiterMemory(const std::vector<std::string>& clean_up_command,
               const std::vector<std::string>& restart_command, const std::vector<std::string>& environment);

  WaiterOrders& orders() const { return *orders_; }
  void* stack_end() const;
  // Gives it back: there will be no waiter.
  void free() noexcept;

 private:
  MemoryRange memory_;
  WaiterOrders* orders_ = nullptr;

  void list_unneeded(MemoryRange* place, std::size_t page_size);
};

}  // namespace hutch
