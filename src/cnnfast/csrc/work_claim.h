/* Threads share the steps of one image. Each claims the part of a step that has its number, so that what it reads is mostly
   what it wrote in the step before, and then any that are left; all threads wait until these are done before they continue: a
   thread that the system does not let run delays no other unless it is in the middle of a part. They spin for some
   microseconds, about as long as a step takes, and then let others run in between. */
#pragma once

#if defined(_WIN32)
#include "small_windows.h"
static inline void let_others_run(void) { SwitchToThread(); }
#else
#include <sched.h>
static inline void let_others_run(void) { sched_yield(); }
#endif

typedef struct claim {
    unsigned claimed; /* a bit for each part */
    int done;
    char apart[56]; /* a cache line for each step */
} claim;

enum { SPINS = 4000 };

static inline void let_a_moment_pass(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Claim the wanted part, or if that is taken the next one that is not; return it, or -1 if none is left. */
static inline int claim_part(claim *t, int wanted, int parts) {
    for (int i = 0; i < parts; i++) {
        const int part = (wanted + i) % parts;
        const unsigned bit = 1u << part;
        if (__atomic_load_n(&t->claimed, __ATOMIC_RELAXED) & bit) continue;
        if (!(__atomic_fetch_or(&t->claimed, bit, __ATOMIC_RELAXED) & bit)) return part;
    }
    return -1;
}

static inline void finish_part(claim *t) { __atomic_fetch_add(&t->done, 1, __ATOMIC_RELEASE); }

/* Wait for that many spins, then let others run; return whether all parts are done. */
static inline int wait_for_parts(const claim *t, int parts, int spins) {
    for (int spin = 0; __atomic_load_n(&t->done, __ATOMIC_ACQUIRE) < parts; spin++) {
        if (spin >= spins) return let_others_run(), 0;
        let_a_moment_pass();
    }
    return 1;
}

/* The tasks of a call, whole groups or images, which threads take one after the other. */
typedef struct task_line {
    long next;
    long done;
} task_line;

enum { TURNS = 10000 };

/* Return the next task, or -1 if none is left. */
static inline long take_task(task_line *t, long tasks) {
    const long task = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);
    return task < tasks ? task : -1;
}

static inline void finish_task(task_line *t) { __atomic_fetch_add(&t->done, 1, __ATOMIC_RELEASE); }

/* Wait for what others still compute, some tenths of a millisecond at most: a thread that falls asleep at the end of a call has
   to be woken, which takes as long as a small network needs for an image. */
static inline void wait_for_tasks(const task_line *t, long tasks) {
    for (int turn = 0; turn < TURNS && __atomic_load_n(&t->done, __ATOMIC_ACQUIRE) < tasks; turn++) let_a_moment_pass();
}
