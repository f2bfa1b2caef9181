#pragma once

#include <memory>
#include <utility>

namespace hutch {

// A value that lives on the heap and is copied as a value: a large alternative of a variant that is mostly
// something smaller. Never empty, but after it was moved from.
template <typename T>
class Boxed {
 public:
  // Implicit: who makes the variant has a T.
  Boxed(T value) : value_(std::make_unique<T>(std::move(value))) {}
  Boxed(const Boxed& other) : value_(std::make_unique<T>(*other.value_)) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(const Boxed& other) {
    value_ = std::make_unique<T>(*other.value_);
    return *this;
  }
  Boxed& operator=(Boxed&&) noexcept = default;
  ~Boxed() = default;

  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace hutch
