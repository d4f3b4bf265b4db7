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

/* The tasks of a call, whole groups or images, of which each thread has some. It takes these one after the other, and then
   what others have left. Each thread has its own part of this memory, because a cache line that two cores write travels
   between them each time: where they are far apart, for as long as a small layer takes. */
typedef struct task_line {
    long next;
    long end;
    long done; /* by this thread, of all */
    char apart[128 - 3 * sizeof(long)];
} task_line;

enum { TURNS = 10000 };

/* Give each thread an equal part of tasks that take equally long. Those that do not, whose order matters, all go to the first. */
static inline void deal_tasks(task_line *lines, int threads, long tasks, int alike) {
    for (int i = 0; i < threads; i++) {
        lines[i].next = alike ? (long)((long long)tasks * i / threads) : 0;
        lines[i].end = alike ? (long)((long long)tasks * (i + 1) / threads) : i == 0 ? tasks : 0;
        lines[i].done = 0;
    }
}

/* Return the next task of a thread, or of another one, or -1 if none is left. */
static inline long take_task(task_line *lines, int threads, int thread) {
    for (int i = 0; i < threads; i++) {
        task_line *line = &lines[(thread + i) % threads];
        if (__atomic_load_n(&line->next, __ATOMIC_RELAXED) >= line->end) continue;
        const long task = __atomic_fetch_add(&line->next, 1, __ATOMIC_RELAXED);
        if (task < line->end) return task;
    }
    return -1;
}

static inline void finish_task(task_line *own) { __atomic_store_n(&own->done, own->done + 1, __ATOMIC_RELEASE); }

/* Wait for what others still compute, some tenths of a millisecond at most: a thread that falls asleep at the end of a call has
   to be woken, which takes as long as a small network needs for an image. */
static inline void wait_for_tasks(const task_line *lines, int threads, long tasks) {
    for (int turn = 0; turn < TURNS; turn++) {
        long done = 0;
        for (int i = 0; i < threads; i++) done += __atomic_load_n(&lines[i].done, __ATOMIC_ACQUIRE);
        if (done >= tasks) return;
        let_a_moment_pass();
    }
}
