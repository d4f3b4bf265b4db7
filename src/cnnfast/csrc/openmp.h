/* OpenMP where the compiler has it; else the same functions for the one thread that there is. */
#pragma once

#ifdef _OPENMP
#include <omp.h>
enum { HAS_OPENMP = 1 };

static inline void release_team(void) { omp_pause_resource_all(omp_pause_soft); }

#else
#if defined(_WIN32)
#include "small_windows.h"
#else
#include <time.h>
#endif
enum { HAS_OPENMP = 0 };

static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
static inline int omp_get_max_threads(void) { return 1; }
static inline void release_team(void) {}

static inline double omp_get_wtime(void) {
#if defined(_WIN32)
    LARGE_INTEGER now, unit;
    QueryPerformanceFrequency(&unit);
    QueryPerformanceCounter(&now);
    return (double)now.QuadPart / (double)unit.QuadPart;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
#endif
}
#endif
