#include "cli/arguments.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "base/text.h"

namespace hutch::cli {

namespace {

// "--name" and "-name" look like an option; "-", "--" and "" do not.
bool looks_like_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--";
}

// Whether `name` begins with `typed`, which is in lower case, whatever the case of its own letters. Most
// names end the comparison with their first letter: `create` has some 900 of them.
bool begins_with(std::string_view name, std::string_view typed) {
  if (name.size() < typed.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(typed.begin(), typed.end(), name.begin(),
                    [lower](char wanted, char c) { return wanted == lower(c); });
}

// The names that `typed` (lower case) stands for: itself when it is one, else all that begin with it, sorted.
std::vector<const OptionRow*> matching_rows(const std::string& typed, const std::vector<OptionRow>& rows) {
  std::vector<const OptionRow*> hits;
  for (const auto& row : rows) {
    if (typed.empty() || !begins_with(row.name, typed)) continue;
    if (row.name.size() == typed.size()) return {&row};
    hits.push_back(&row);
  }
  std::sort(hits.begin(), hits.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return hits;
}

std::string names_of(const std::vector<const OptionRow*>& rows) {
  std::vector<std::string> names;
  for (const auto* row : rows) names.push_back(row->name);
  return join(names, ", ");
}

class Normaliser {
 public:
  Normaliser(const std::vector<std::string>& words, const std::vector<OptionRow>& rows)
      : words_(words), rows_(rows) {}

  CanonicalArguments run() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      if (word == "--") {
        result_.positional.insert(result_.positional.end(), words_.begin() + next_offset(), words_.end());
        break;
      }
      if (looks_like_option(word)) {
        take_option(word);
      } else {
        result_.positional.push_back(word);
      }
    }
    if (!complaints_.empty()) throw ArgumentError(complaints_ + "400 unable to parse option");
    return std::move(result_);
  }

 private:
  std::ptrdiff_t next_offset() const { return static_cast<std::ptrdiff_t>(next_); }

  void take_option(const std::string& word) {
    const std::string text = word.substr(word.starts_with("--") ? 2 : 1);
    // From the second character on, so that "--=x" is an option named "=x" (and thus unknown).
    const auto equals = text.find('=', 1);
    const std::string typed = to_lower(text.substr(0, equals));
    const auto hits = matching_rows(typed, rows_);
    if (hits.empty()) return complain(formatted("Unknown option: {}", typed));
    if (hits.size() > 1) return complain(formatted("Option {} is ambiguous ({})", typed, names_of(hits)));
    const OptionRow& row = *hits.front();
    std::optional<std::string> attached;
    if (equals != std::string::npos) attached = text.substr(equals + 1);
    if (const auto value = take_value(row, attached)) {
      result_.options.emplace_back(row.name, *value);
    } else {
      complain(formatted("Option {} requires an argument", typed));
    }
  }

  // Nothing: the value is missing.
  std::optional<std::string> take_value(const OptionRow& row, const std::optional<std::string>& attached) {
    if (attached) {
      if (attached->empty() && !row.value_optional()) return std::nullopt;
      return attached;
    }
    if (row.value_optional()) {
      if (next_ == words_.size() || words_[next_] == "--" || looks_like_option(words_[next_])) return "";
    } else if (next_ == words_.size()) {
      return std::nullopt;
    }
    return words_[next_++];
  }

  void complain(const std::string& line) { complaints_ += line + "\n"; }

  const std::vector<std::string>& words_;
  const std::vector<OptionRow>& rows_;
  std::size_t next_ = 0;
  std::string complaints_;
  CanonicalArguments result_;
};

}  // namespace

CanonicalArguments normalise_arguments(const std::vector<std::string>& words,
                                       const std::vector<OptionRow>& rows) {
  return Normaliser(words, rows).run();
}

}  // namespace hutch::cli
