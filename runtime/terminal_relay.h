#pragma once

namespace hutch {

// Whether any of standard input, output and error is a terminal, so that a program gets one of its own.
bool has_terminal();

// Gives a pty the size of our terminal. One that does not know its size leaves the pty's at the default.
void copy_terminal_size(int master);

// Copies between our terminal (in raw mode, when it is standard input) and the pty master, and follows its
// size, until the process of `pidfd` ends and its output is through. The terminal's mode is restored in every
// case.
void relay_terminal(int master, int pidfd);

}  // namespace hutch
