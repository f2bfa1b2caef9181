#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Writing JSON (RFC 8259). A library for it costs `pct` more than all of its output is worth; what reads JSON
// (bench/, tests) uses nlohmann's.
namespace hutch {

// Builds one document. Objects and arrays begin and end in pairs; inside an object every value comes after
// its key. Each member stands on a line of its own, indented by one space a level. Bytes that are no UTF-8
// become U+FFFD.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view value);
  JsonWriter& number(std::int64_t value);
  // `thousandths` / 1000, written with three decimals.
  JsonWriter& decimal(std::int64_t thousandths);
  JsonWriter& boolean(bool value);

  JsonWriter& member(std::string_view name, std::string_view value) { return key(name).string(value); }
  JsonWriter& member(std::string_view name, std::int64_t value) { return key(name).number(value); }

  // The document with a newline at its end.
  std::string take();

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  void begin_value();
  void new_line();
  void append_string(std::string_view value);

  std::string text_;
  std::size_t depth_ = 0;
  bool first_ = true;       // nothing in the current object or array yet
  bool after_key_ = false;  // the value goes on the key's line
};

}  // namespace hutch
