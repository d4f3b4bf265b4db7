/* The floating-point mode of a thread while it computes: nearest even, no traps, denormal numbers count as zero. Without
   that a network with tiny weights runs many times slower. `floating_begin` returns the caller's mode, flags of exceptions
   included, and `floating_end` restores it. RISC-V cannot count denormal numbers as zero; on CPUs not named here the mode stays
   as it is. */
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
typedef unsigned floating_mode;
#define FLOATING_WORK 0x9fc0u /* flush to zero, denormals are zeros, all exceptions masked */
static inline floating_mode floating_now(void) { return _mm_getcsr(); }
static inline void floating_set(floating_mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
typedef unsigned long long floating_mode;
#define FLOATING_WORK (1ull << 24) /* FZ of FPCR; the upper half is FPSR */
static inline floating_mode floating_now(void) {
    floating_mode control, status;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(status));
    return (control & 0xffffffffu) | status << 32;
}
static inline void floating_set(floating_mode mode) {
    __asm__ volatile("msr fpcr, %0" : : "r"(mode & 0xffffffffu) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(mode >> 32) : "memory");
}
#elif defined(__riscv_flen)
typedef unsigned long floating_mode;
#define FLOATING_WORK 0ul
static inline floating_mode floating_now(void) {
    floating_mode mode;
    __asm__ volatile("frcsr %0" : "=r"(mode));
    return mode;
}
static inline void floating_set(floating_mode mode) { __asm__ volatile("fscsr %0" : : "r"(mode) : "memory"); }
#else
typedef unsigned floating_mode;
#define FLOATING_WORK 0u
static inline floating_mode floating_now(void) { return 0; }
static inline void floating_set(floating_mode mode) { (void)mode; }
#endif

static inline floating_mode floating_begin(void) {
    floating_mode before = floating_now();
    floating_set(FLOATING_WORK);
    return before;
}
static inline void floating_end(floating_mode before) { floating_set(before); }
