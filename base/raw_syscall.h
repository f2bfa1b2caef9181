#pragma once

#include <linux/sched.h>
#include <sys/syscall.h>

#include <type_traits>

// System calls without libc: no errno, no thread-local storage, nothing that has to be mapped but the
// caller's own code. For processes that share their memory with another one (CLONE_VM) or have given it back.
#if !defined(__x86_64__) && !defined(__aarch64__) && !(defined(__riscv) && __riscv_xlen == 64)
#error "add this architecture's system call and clone3 instructions to base/raw_syscall.h"
#endif

namespace hutch::sys {

// The result in the kernel's manner: -errno on failure (syscall(2), "Architecture calling conventions").
[[gnu::always_inline]] inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
  register long a7 asm("a7") = number;
  register long a0 asm("a0") = a;
  register long a1 asm("a1") = b;
  register long a2 asm("a2") = c;
  register long a3 asm("a3") = d;
  register long a4 asm("a4") = e;
  register long a5 asm("a5") = f;
  asm volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
  return a0;
#endif
}

template <typename T>
[[gnu::always_inline]] inline long raw_argument(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else {
    return static_cast<long>(value);
  }
}

// Arguments are numbers and pointers; missing ones are 0.
template <typename A = int, typename B = int, typename C = int, typename D = int, typename E = int,
          typename F = int>
[[gnu::always_inline]] inline long raw(long number, A a = {}, B b = {}, C c = {}, D d = {}, E e = {},
                                       F f = {}) {
  return raw_syscall(number, raw_argument(a), raw_argument(b), raw_argument(c), raw_argument(d),
                     raw_argument(e), raw_argument(f));
}

// clone3(2) for a child that runs entry(argument) on a stack of its own (args.stack, args.stack_size must be
// set; 16-byte aligned). The child shares what args.flags says; with CLONE_VM the thread-local storage, too:
// unless the caller stands still meanwhile (CLONE_VFORK), it must use nothing that has any. `entry` must not
// return. Returns the pid, or -errno.
[[gnu::always_inline]] inline long raw_clone3(const clone_args& args, void (*entry)(void*), void* argument) {
#if defined(__x86_64__)
  long result = SYS_clone3;
  // Kept in registers that the kernel hands on to the child.
  register void (*r12)(void*) asm("r12") = entry;
  register void* r13 asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof args), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = SYS_clone3;
  register long x0 asm("x0") = reinterpret_cast<long>(&args);
  register long x1 asm("x1") = sizeof args;
  register void (*x9)(void*) asm("x9") = entry;
  register void* x10 asm("x10") = argument;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk #0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
      : "memory", "cc", "x30");
  return x0;
#else
  register long a7 asm("a7") = SYS_clone3;
  register long a0 asm("a0") = reinterpret_cast<long>(&args);
  register long a1 asm("a1") = sizeof args;
  register void (*s2)(void*) asm("s2") = entry;
  register void* s3 asm("s3") = argument;
  asm volatile(
      "ecall\n\t"
      "bnez a0, 1f\n\t"
      "mv s0, zero\n\t"
      "mv a0, s3\n\t"
      "jalr s2\n\t"
      "ebreak\n"
      "1:"
      : "+r"(a0)
      : "r"(a7), "r"(a1), "r"(s2), "r"(s3)
      : "memory", "ra");
  return a0;
#endif
}

}  // namespace hutch::sys
