#include "base/json.h"

#include <utility>

#include "base/format.h"
#include "base/text.h"

namespace hutch {

JsonWriter& JsonWriter::key(std::string_view name) {
  begin_value();
  append_string(name);
  text_ += ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view value) {
  begin_value();
  append_string(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  begin_value();
  text_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::decimal(std::int64_t thousandths) {
  begin_value();
  if (thousandths < 0) text_ += '-';
  const std::uint64_t size =
      thousandths < 0 ? 0 - static_cast<std::uint64_t>(thousandths) : static_cast<std::uint64_t>(thousandths);
  text_ += formatted("{}.{:03}", size / 1000, size % 1000);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  begin_value();
  text_ += value ? "true" : "false";
  return *this;
}

std::string JsonWriter::take() {
  text_ += '\n';
  return std::exchange(text_, {});
}

JsonWriter& JsonWriter::begin(char bracket) {
  begin_value();
  text_ += bracket;
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  --depth_;
  if (!first_) new_line();
  text_ += bracket;
  first_ = false;
  return *this;
}

void JsonWriter::begin_value() {
  if (std::exchange(after_key_, false)) return;
  if (depth_ == 0) return;
  if (!std::exchange(first_, false)) text_ += ',';
  new_line();
}

void JsonWriter::new_line() {
  text_ += '\n';
  text_.append(depth_, ' ');
}

void JsonWriter::append_string(std::string_view value) {
  text_ += '"';
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const auto first = static_cast<unsigned char>(value.front());
    if (length == 0) {
      text_ += "\xef\xbf\xbd";
    } else if (first == '"' || first == '\\') {
      text_ += '\\';
      text_ += value.front();
    } else if (first == '\n') {
      text_ += "\\n";
    } else if (first < 0x20) {
      text_ += formatted("\\u{:04x}", first);
    } else {
      text_ += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

}  // namespace hutch
