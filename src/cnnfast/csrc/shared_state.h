/* What calls of several Python threads share and change. With a GIL nothing else keeps them apart; a Python without one has a
   lock. It is held for some tens of nanoseconds, and never while Python code runs, so a fork cannot leave it taken. A flag
   that is raised once is read without it. Behind Python.h. */
#pragma once

#ifdef Py_GIL_DISABLED
static PyMutex shared_state;
static inline void lock_state(void) { PyMutex_Lock(&shared_state); }
static inline void unlock_state(void) { PyMutex_Unlock(&shared_state); }
#else
static inline void lock_state(void) {}
static inline void unlock_state(void) {}
#endif

static inline int is_raised(const int *flag) { return __atomic_load_n(flag, __ATOMIC_ACQUIRE); }

/* A thread that sees the flag sees what was written before. */
static inline void raise_flag(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELEASE); }
