/* Threads wait for each other between the steps of one image. They spin for some microseconds, which is what a step
   lasts, and then give the CPU to others in between; nobody waits outside a call. */
#pragma once

#include <sched.h>

typedef struct barrier {
    int arrived, phase;
} barrier;

enum { SPINS = 4000 };

static inline void barrier_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void barrier_wait(barrier *b, int threads) {
    const int phase = __atomic_load_n(&b->phase, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_ACQ_REL) == threads) {
        __atomic_store_n(&b->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&b->phase, phase + 1, __ATOMIC_RELEASE);
        return;
    }
    for (int spin = 0; __atomic_load_n(&b->phase, __ATOMIC_ACQUIRE) == phase; spin++) {
        if (spin < SPINS) barrier_relax();
        else sched_yield();
    }
}
