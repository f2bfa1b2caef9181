#include "runtime/executor.h"

#include <malloc.h>
#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/fd_passing.h"
#include "base/format.h"
#include "base/process.h"
#include "runtime/container_hooks.h"

namespace hutch {

StartExecutor::StartExecutor(ExecutorOptions options)
    : options_(std::move(options)),
      trace_(TraceLane::host, options_.trace != nullptr && options_.trace->on()),
      side_trace_(TraceLane::side, trace_.on()),
      undo_([this](const std::string& name, const std::string& reason) {
        undo_failures_.push_back(formatted("cannot {}: {}", name, reason));
      }) {}

void StartExecutor::run_ahead(const StartPlan& plan) {
  run_guarded(plan, plan.ahead);
}

void StartExecutor::run(const StartPlan& plan) {
  run_guarded(plan, plan.host.size());
  undo_.dismiss();
  signals_.reset();
  collect_trace();
}

void StartExecutor::give_up() noexcept {
  side_.stop();
  placement_.go_anywhere();
  undo_.run();
  signals_.reset();
  collect_trace();
}

void StartExecutor::run_guarded(const StartPlan& plan, std::size_t end) {
  plan_ = &plan;
  try {
    prepare_for(plan);
    run_main_lane(end);
    side_.stop();
  } catch (const Error& error) {
    side_.stop();
    const Error failure = real_failure(error);
    log_hook_output();
    log_.write(LogLevel::error, "start", failure.what());
    give_up();
    for (const auto& undo : undo_failures_) log_.write(LogLevel::warn, "start", undo);
    throw failure;
  } catch (...) {
    give_up();
    throw;
  }
}

// What only few containers have.
void StartExecutor::prepare_for(const StartPlan& plan) {
  const auto& spec = plan.spec;
  if (spec.log.on() && !log_.on()) log_ = ContainerLog(spec.log, spec.vmid);
  const bool hooks = has_inner_hooks(spec) || has_end_hooks(spec) ||
                     !spec.hooks.of(HookPhase::pre_start).empty() ||
                     !spec.hooks.of(HookPhase::start_host).empty();
  if (!hooks || signals_) return;
  signals_.emplace();
  links_.set_signals(signals_->fd());
}

bool StartExecutor::wants_debug() const {
  return options_.log || log_.takes(LogLevel::debug);
}

void StartExecutor::debug(const std::string& line) {
  if (options_.log) options_.log(line);
  log_.write(LogLevel::debug, "start", line);
}

void StartExecutor::run_main_lane(std::size_t end) {
  for (; next_step_ < end; ++next_step_) {
    if (plan_->host[next_step_].lane == HostLane::main) {
      run_step(next_step_, trace_);
    } else if (side_begin_ == 0) {
      begin_side_lane(next_step_);
    }
  }
  if (end == plan_->host.size() && options_.before_step) options_.before_step(end);
}

void StartExecutor::begin_side_lane(std::size_t at) {
  side_begin_ = at;
  std::vector<std::function<void()>> steps;
  bool scripts = false;
  for (; at < plan_->host.size() && plan_->host[at].lane == HostLane::side; ++at) {
    steps.emplace_back([this, at] { run_step(at, side_trace_); });
    scripts = scripts || std::holds_alternative<host::RunLinkScripts>(plan_->host[at].action);
  }
  // Scripts, and what they leave running, would inherit it.
  if (!scripts) {
    steps.front() = [first = std::move(steps.front())] {
      CpuPlacement::give_way();
      first();
    };
  }
  // A heap of the lane's own would be mapped when it first needs memory, with the first process waiting.
  ::mallopt(M_ARENA_MAX, 1);
  side_.run(std::move(steps));
  placement_.move_away(side_.thread());
}

void StartExecutor::run_step(std::size_t at, Trace& trace) {
  const HostStep& step = plan_->host[at];
  if (wants_debug()) debug(formatted("host {:>3}  {}", at + 1, step.text));
  const auto span = trace.span(step.text);
  try {
    if (options_.before_step) options_.before_step(at);
    std::visit([this](const auto& action) { perform(action); }, step.action);
  } catch (const Error& error) {
    throw error.with_origin(step.origin).with_hint(step.hint);
  }
}

void StartExecutor::push_undo(std::string name, UndoStack::Action action) {
  const std::lock_guard lock(undo_mutex_);
  undo_.push(std::move(name), std::move(action));
}

// The child itself cannot log; what it must have done by now is known from where it is.
void StartExecutor::log_child_steps(ChildOp last) {
  if (!wants_debug()) return;
  while (child_steps_logged_ < plan_->child.steps.size()) {
    const std::size_t at = child_steps_logged_++;
    debug(formatted("child {:>3}  {}", at + 1, plan_->child.info[at].text));
    if (plan_->child.steps[at].op == last) return;
  }
}

void StartExecutor::collect_trace() {
  if (!trace_.on()) return;
  trace_child_steps();
  for (const auto* trace : {&trace_, &side_trace_}) {
    for (const auto& span : trace->spans()) options_.trace->add(span);
  }
}

void StartExecutor::trace_child_steps() {
  if (!child_times_) return;
  const std::int64_t* times = child_times_->cells();
  std::int64_t begin = times[0];
  for (std::size_t step = 0; step < plan_->child.steps.size() && begin != 0; ++step) {
    const bool begun_exec = plan_->child.steps[step].op == ChildOp::exec && times[step] != 0;
    // A successful exec never comes back to note its end; a step that was jumped over has none either.
    const std::int64_t end = begun_exec && times[step + 1] == 0 ? trace_clock() : times[step + 1];
    if (end == 0) continue;
    trace_.add({plan_->child.info[step].text, TraceLane::child, init_pid_, init_pid_, begin, end});
    begin = end;
  }
}

// Where hooks run inside, that may be long, and the user may have enough of it.
void StartExecutor::wait_for_child() {
  if (!signals_) return;
  pollfd fds[2] = {{sync_.get(), POLLIN, 0}, {signals_->fd(), POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for the container's first process");
  }
  if ((fds[0].revents & POLLIN) == 0) signals_->check();
}

std::optional<SyncMessage> StartExecutor::receive() {
  wait_for_child();
  SyncMessage message{};
  ReceivedMessage received = receive_with_fd(sync_.get(), &message, sizeof message);
  if (received.size == 0) return std::nullopt;
  if (received.size != sizeof message) {
    throw Error("a malformed message from the container's first process", EPROTO);
  }
  const bool listener = message.detail == static_cast<std::uint32_t>(HandedFd::seccomp_listener);
  if (message.type == SyncMessage::Type::handed_fd && listener) {
    seccomp_listener_ = std::move(received.fd);
  } else if (message.type == SyncMessage::Type::handed_fd) {
    if (message.detail > plan_->spec.tty_count)
      throw Error("an unexpected terminal from the container", EPROTO);
    if (terminals_.size() <= message.detail) terminals_.resize(message.detail + 1);
    terminals_[message.detail] = std::move(received.fd);
  }
  if (message.type == SyncMessage::Type::failed) throw_child_failure(message);
  return message;
}

Error StartExecutor::real_failure(const Error& failure) {
  try {
    pollfd ready{sync_.get(), POLLIN, 0};
    while (sync_ && ::poll(&ready, 1, 0) > 0 && receive()) {
    }
  } catch (const Error& reported) {
    return reported;
  }
  return failure;
}

void StartExecutor::throw_child_failure(const SyncMessage& message) const {
  if (message.step >= plan_->child.info.size())
    throw Error("the container's first process failed", message.error);
  const auto& info = plan_->child.info[message.step];
  if (const auto& step = plan_->child.steps[message.step];
      step.op == ChildOp::run_hook && message.error == 0) {
    ProgramResult result;
    result.status = static_cast<int>(message.detail);
    throw Error(formatted("inside the container: '{}': cannot {}: it {}", plan_->child.hooks[step.number].key,
                          info.text, result.status_text()),
                0, "its own messages stand above", info.origin);
  }
  throw Error(formatted("inside the container: cannot {}", info.text), message.error, info.hint, info.origin);
}

void StartExecutor::throw_child_death() {
  const int status = supervisor_->reap();
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    throw Error(formatted("the container's first process was killed by SIG{} while it started",
                          name == nullptr ? "?" : name),
                0,
                WTERMSIG(status) == SIGKILL ? "is the memory limit large enough?"
                                            : "does the seccomp policy allow what a start needs?");
  }
  throw Error("the container's first process ended while it started", 0);
}

}  // namespace hutch
