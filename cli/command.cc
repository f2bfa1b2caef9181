#include "cli/command.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cli {

namespace {

void put(std::FILE* stream, std::string_view text) {
  // A lost result must not look like an empty one; a full disk or closed pipe is reported by main.
  if (std::fwrite(text.data(), 1, text.size(), stream) != text.size()) throw_errno("cannot write the output");
}

}  // namespace

std::uint32_t CommandContext::vmid() const {
  const auto number = positional_.empty() ? std::nullopt : parse_unsigned(positional_.front());
  if (!number) throw Error("this command has no vmid");
  return static_cast<std::uint32_t>(*number);
}

CommandContext CommandContext::nested(std::vector<std::string> positional) const {
  CommandContext context(sysroot_, out_, err_);
  context.debug_ = debug_;
  context.in_worker_ = in_worker_;
  context.positional_ = std::move(positional);
  return context;
}

void CommandContext::print(std::string_view text) {
  put(out_, text);
}

void CommandContext::notice(std::string_view line) {
  std::FILE* stream = in_worker_ ? out_ : err_;
  put(stream, formatted("{}\n", line));
  // Notices tell about work in progress; a reader of the pipe wants them when they happen.
  std::fflush(stream);
}

void CommandContext::warn(std::string_view line) {
  ++warnings_;
  notice(formatted("WARN: {}", terminal_safe_lines(line)));
}

}  // namespace hutch::cli
