#include "config/property_string.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

const PropertyKey* find_key(const PropertyFormat& format, std::string_view name) {
  for (const auto& key : format.keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string checked_value(const PropertyKey& key, std::string_view value) {
  switch (key.type) {
    case PropertyKey::Type::boolean: {
      const auto flag = parse_boolean(value);
      if (!flag) throw Error(formatted("{}: '{}' is not a boolean (1 or 0)", key.name, value));
      return *flag ? "1" : "0";
    }
    case PropertyKey::Type::integer: {
      const auto number = parse_unsigned(value);
      if (!number) throw Error(formatted("{}: '{}' is not a whole number", key.name, value));
      if (*number < key.min || *number > key.max) {
        throw Error(formatted("{}: {} is not in the range {} to {}", key.name, value, key.min, key.max));
      }
      return std::to_string(*number);
    }
    case PropertyKey::Type::number:
      if (!parse_number(value)) throw Error(formatted("{}: '{}' is not a number", key.name, value));
      return std::string(value);
    case PropertyKey::Type::string:
      if (key.accepts != nullptr && !key.accepts(value)) {
        throw Error(formatted("{}: '{}' is not {}", key.name, value, key.expects));
      }
      return std::string(value);
  }
  return std::string(value);
}

void add_part(const PropertyFormat& format, std::string_view part, PropertyValues& values) {
  const auto equals = part.find('=');
  std::string_view name = part.substr(0, equals);
  std::string_view value = equals == std::string_view::npos ? part : part.substr(equals + 1);
  if (equals == std::string_view::npos) {
    if (format.default_key.empty()) throw Error(formatted("'{}' lacks a key (key=value)", part));
    if (values.contains(format.default_key)) {
      throw Error(formatted("'{}' lacks a key and '{}' is already given", part, format.default_key));
    }
    name = format.default_key;
  }
  if (name.empty()) throw Error(formatted("empty key in '{}'", part));
  // Blanks alone would not survive a rewrite, which leaves out the default key's name.
  if (trim(value).empty()) throw Error(formatted("empty value for key '{}'", name));
  const PropertyKey* key = find_key(format, name);
  if (key == nullptr) throw Error(formatted("unknown key '{}'", name));
  if (!values.try_emplace(std::string(name), checked_value(*key, value)).second) {
    throw Error(formatted("key '{}' is given twice", name));
  }
}

}  // namespace

PropertyValues parse_property_string(const PropertyFormat& format, std::string_view text) {
  PropertyValues values;
  for (const auto part : split(text, ',')) {
    if (!trim(part).empty()) add_part(format, part, values);
  }
  for (const auto& key : format.keys) {
    if (key.required && !values.contains(key.name)) throw Error(formatted("key '{}' is missing", key.name));
  }
  return values;
}

std::string print_property_string(const PropertyFormat& format, const PropertyValues& values) {
  std::string text;
  const auto append = [&text](const std::string& part) {
    if (!text.empty()) text += ',';
    text += part;
  };
  const auto first = values.find(format.default_key);
  if (first != values.end()) {
    // Without its name, "/a=b" would be read as a key.
    const bool needs_name = first->second.find('=') != std::string::npos;
    append(needs_name ? first->first + "=" + first->second : first->second);
  }
  for (const bool required : {true, false}) {
    for (const auto& [name, value] : values) {
      if (name == format.default_key) continue;
      const PropertyKey* key = find_key(format, name);
      if (key == nullptr) throw Error(formatted("unknown key '{}'", name));
      if (key->required == required) append(name + "=" + value);
    }
  }
  return text;
}

}  // namespace hutch::config
