#include "runtime/child_program.h"

#include "base/error.h"
#include "base/format.h"

namespace hutch {

std::uint32_t ChildProgram::intern(std::string_view text) {
  if (text.empty()) return 0;
  const auto offset = static_cast<std::uint32_t>(arena.size());
  arena.append(text).push_back('\0');
  return offset;
}

Slot ChildProgram::new_slot() {
  if (slot_count >= kMaxSlots) {
    throw Error(formatted("the start needs more than {} open mounts", kMaxSlots), 0,
                "use fewer mount entries");
  }
  return slot_count++;
}

Slot ChildProgram::new_slot_pair() {
  const Slot first = new_slot();
  new_slot();
  return first;
}

ChildStep& ChildProgram::add(ChildOp op, std::string text, const Origin& origin, std::string hint) {
  info.push_back({std::move(text), origin, std::move(hint)});
  steps.push_back({});
  steps.back().op = op;
  return steps.back();
}

std::string encode_fs_options(const std::vector<std::pair<std::string, std::string>>& options) {
  std::string encoded;
  for (const auto& [key, value] : options) {
    encoded.append(key).push_back('\0');
    encoded.append(value).push_back('\0');
  }
  return encoded;
}

}  // namespace hutch
