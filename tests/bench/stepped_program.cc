// Runs some of its functions, for code_trace_test: one itself, one in a thread, one in a process, one not at
// all. With an argument it fails.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

extern "C" {
volatile int calls = 0;
[[gnu::noinline]] void called_by_main() {
  calls = calls + 1;
}
[[gnu::noinline]] void called_by_thread() {
  calls = calls + 2;
}
[[gnu::noinline]] void called_by_process() {
  calls = calls + 3;
}
[[gnu::noinline]] void called_by_nobody() {
  calls = calls + 4;
}
}

int main(int argc, char**) {
  called_by_main();
  std::thread(called_by_thread).join();
  const pid_t child = fork();
  if (child == 0) {
    called_by_process();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  if (calls == 1000) called_by_nobody();
  return argc > 1 ? 1 : 0;
}
