#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/console_watch.h"
#include "runtime/stop.h"
#include "tests/kernel/container_fixture.h"

// What becomes of the console's output.
namespace hutch::kernel_test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class ConsoleTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    spec.console = true;
  }
  std::string log() const { return directory() + "/console.log"; }
  void log_to_file() { spec.console_output.log_file = {log(), {"test.conf", 5}}; }
  // Lines of 16 bytes ("line 0000001..\r\n" on the terminal).
  void write_lines(int count) {
    spec.init.argv = {
        "/bin/sh", "-c",
        formatted("i=0; while [ $i -lt {} ]; do i=$((i+1)); printf 'line %09d\\n' $i; done", count)};
  }
};

TEST_F(ConsoleTest, IsLoggedToItsLastByte) {
  log_to_file();
  write_lines(2000);
  start();
  EXPECT_TRUE(wait_until_gone());
  const std::string text = read_file(AT_FDCWD, log());
  EXPECT_EQ(text.size(), 2000U * 16);
  EXPECT_THAT(text, EndsWith("line 000002000\r\n"));
  struct stat status {};
  ASSERT_EQ(::stat(log().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(ConsoleTest, TheLogIsAppended) {
  replace_file(AT_FDCWD, log(), "before\n", 0600);
  log_to_file();
  spec.init.argv = {"/bin/echo", "after"};
  start();
  EXPECT_TRUE(wait_until_gone());
  EXPECT_EQ(read_file(AT_FDCWD, log()), "before\nafter\r\n");
}

TEST_F(ConsoleTest, AFullLogIsRotated) {
  log_to_file();
  spec.console_output.log_size = 4096;
  spec.console_output.rotate = true;
  write_lines(600);  // 9600 bytes
  start();
  EXPECT_TRUE(wait_until_gone());
  const std::string last = read_file(AT_FDCWD, log());
  const std::string before = read_file(AT_FDCWD, log() + ".1");
  EXPECT_EQ(before.size(), 4096U);
  EXPECT_EQ(last.size(), 600U * 16 - 2 * 4096U);
  EXPECT_THAT(last, EndsWith("line 000000600\r\n"));
}

TEST_F(ConsoleTest, WithoutRotationItBeginsAnew) {
  log_to_file();
  spec.console_output.log_size = 4096;
  write_lines(600);
  start();
  EXPECT_TRUE(wait_until_gone());
  EXPECT_EQ(read_file(AT_FDCWD, log()).size(), 600U * 16 - 2 * 4096U);
  EXPECT_FALSE(path_exists(AT_FDCWD, log() + ".1"));
}

TEST_F(ConsoleTest, TheBufferKeepsTheEnd) {
  spec.console_output.buffer_size = 4096;
  write_lines(600);
  spec.init.argv[2] += "; sleep 1000";
  start();
  std::string text;
  for (int tries = 0; tries < 500 && !text.ends_with("line 000000600\r\n"); ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    text = read_console_buffer(sysroot(), vmid());
  }
  EXPECT_EQ(text.size(), 4096U);
  EXPECT_THAT(text, EndsWith("line 000000600\r\n"));
}

TEST_F(ConsoleTest, IsShownOnATerminal) {
  int master = -1;
  int terminal = -1;
  char name[64];
  ASSERT_EQ(::openpty(&master, &terminal, name, nullptr, nullptr), 0);
  const UniqueFd held_master(master);
  const UniqueFd held_terminal(terminal);
  spec.console_output.path = {name, {"test.conf", 6}};
  spec.init.argv = {"/bin/sh", "-c", "stty -echo; echo ready; read word; echo got $word; sleep 1000"};
  start();
  std::string shown;
  char buffer[256];
  const auto read_until = [&](const std::string& text) {
    while (shown.find(text) == std::string::npos) {
      const ssize_t count = ::read(master, buffer, sizeof buffer);
      if (count <= 0) return false;
      shown.append(buffer, static_cast<std::size_t>(count));
    }
    return true;
  };
  ASSERT_TRUE(read_until("ready"));
  ASSERT_EQ(::write(master, "hello\n", 6), 6);
  EXPECT_TRUE(read_until("got hello"));
}

TEST_F(ConsoleTest, APathThatIsNoTerminalFailsTheStart) {
  spec.console_output.path = {"/dev/null", {"test.conf", 6}};
  EXPECT_THAT(start_error(),
              AllOf(HasSubstr("not a terminal"), HasSubstr("ENOTTY"), HasSubstr("[test.conf:6]")));
}

TEST_F(ConsoleTest, ALogThatCannotBeOpenedFailsTheStart) {
  spec.console_output.log_file = {directory() + "/no/log", {"test.conf", 5}};
  EXPECT_THAT(start_error(), AllOf(HasSubstr("cannot log the console"), HasSubstr("[test.conf:5]")));
}

// The watcher is no supervisor: without it the container runs, and without a supervisor it goes on.
TEST(ConsoleWatch, SaysWhenItCannotBeExecuted) {
  ConsoleWatchSetup setup;  // without a mount namespace
  try {
    start_console_watch(setup, {});
    ADD_FAILURE() << "it runs";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("the process that watches the console"), HasSubstr("EBADF")));
  }
}

TEST_F(ConsoleTest, TheWatcherEndsWithInitAlone) {
  log_to_file();
  start();
  const ContainerState running = state();
  ASSERT_GT(running.console_watch.pid, 0);
  EXPECT_TRUE(is_alive(running.console_watch));
  kill_container(sysroot(), running);
  EXPECT_FALSE(is_alive(running.console_watch));
}

}  // namespace
}  // namespace hutch::kernel_test
