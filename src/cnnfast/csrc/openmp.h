/* OpenMP where the compiler has it; else the same functions for the one thread that there is. */
#pragma once

#ifdef _OPENMP
#include <omp.h>
#include <stdlib.h> /* for __GLIBC__ */
enum { HAS_OPENMP = 1 };

/* Ends the waiting threads of the caller; returns whether it has. Not with musl, whose pthread_create says which thread it has
   begun only after that runs: libgomp's threads copy their handle before it is there, now and then, and joining them crashes. */
#if defined(__linux__) && !defined(__GLIBC__)
static inline int release_team(void) { return 0; }
#else
static inline int release_team(void) { return omp_pause_resource_all(omp_pause_soft) == 0; }
#endif

#else
enum { HAS_OPENMP = 0 };

static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
static inline int omp_get_max_threads(void) { return 1; }
static inline int release_team(void) { return 1; }
#endif
