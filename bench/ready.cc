// What tools that stay in the foreground run inside the container: says that it runs, and sleeps.
#include <unistd.h>

int main() {
  if (write(STDOUT_FILENO, "\n", 1) != 1) return 1;
  for (;;) pause();
}
