/* Time, as far as the system's clocks tell it. OpenMP's own clock counts milliseconds on Windows. */
#pragma once

#if defined(_WIN32)
#include "small_windows.h"
#else
#include <time.h>
#endif

/* Seconds since some moment, to a fraction of a microsecond. */
static inline double seconds_now(void) {
#if defined(_WIN32)
    LARGE_INTEGER now, unit;
    QueryPerformanceFrequency(&unit);
    QueryPerformanceCounter(&now);
    return (double)now.QuadPart / (double)unit.QuadPart;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
#endif
}

/* The same to some milliseconds, for a few nanoseconds where the system has such a clock. */
static inline long long milliseconds_now(void) {
#if defined(_WIN32)
    return (long long)GetTickCount64();
#else
    struct timespec now;
#ifdef CLOCK_MONOTONIC_COARSE
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
#endif
}
