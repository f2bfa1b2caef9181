#include "bpf_interpreter.h"

#include <cstring>
#include <stdexcept>

namespace hutch::seccomp {

Verdict run_filter(const BpfProgram& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  unsigned executed = 0;
  for (std::size_t pc = 0; pc < program.size();) {
    const sock_filter& instruction = program[pc++];
    ++executed;
    const auto jump = [&](bool taken) { pc += taken ? instruction.jt : instruction.jf; };
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (instruction.k > sizeof data - 4 || instruction.k % 4 != 0) throw std::runtime_error("bad load");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k; break;
      case BPF_JMP | BPF_JA: pc += instruction.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == instruction.k); break;
      case BPF_JMP | BPF_JGT | BPF_K: jump(accumulator > instruction.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= instruction.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((accumulator & instruction.k) != 0); break;
      case BPF_RET | BPF_K: return {instruction.k, executed};
      default: throw std::runtime_error("unexpected instruction");
    }
  }
  throw std::runtime_error("ran past the end");
}

}  // namespace hutch::seccomp
