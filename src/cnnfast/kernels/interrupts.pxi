# Ctrl-C during a call. The thread that was called looks at signals every now and then while it computes, and a handler
# that raises stops the call: all of its threads leave their loops at the next `must_stop`. What they have computed
# until then is dropped; without a signal nothing changes but the time of a look.

cdef extern from *:
    """
    #include "clock.h"
    #if defined(__linux__)
    #include <sys/syscall.h>
    #include <unistd.h>
    #elif defined(__APPLE__)
    #include <pthread.h>
    #endif

    enum { LOOK_EVERY = 40 };                        /* milliseconds */

    typedef struct call_state {
        int stop;
        long long next_look;                         /* milliseconds */
        void *looks;                                 /* the thread that looks at signals, or NULL */
        floating_mode mode;                          /* of Python code */
        unsigned long thread;
        PyObject *type, *value, *traceback;          /* what a handler has raised */
        struct call_state *before, *next;
    } call_state;

    static __thread call_state *current_call;        /* whose images this thread computes */
    static call_state *all_calls;                    /* part of the shared state */

    /* Python runs handlers in its main thread only; others need not ask for the GIL. */
    static int is_main_thread(void) {
    #if defined(__linux__)
        return syscall(SYS_gettid) == getpid();
    #elif defined(__APPLE__)
        return pthread_main_np();
    #else
        return 1;
    #endif
    }

    static int look_at_signals(call_state *call) {
        floating_mode mode = floating_now();
        PyGILState_STATE gil = PyGILState_Ensure();
        floating_set(call->mode);
        int raised = PyErr_CheckSignals() < 0;
        if (raised) PyErr_Fetch(&call->type, &call->value, &call->traceback);
        PyGILState_Release(gil);
        floating_set(mode);
        if (raised) __atomic_store_n(&call->stop, 1, __ATOMIC_RELAXED);
        call->next_look = milliseconds_now() + LOOK_EVERY;
        return raised;
    }

    static inline int must_stop(void) {
        call_state *call = current_call;
        if (!call) return 0;
        if (__atomic_load_n(&call->stop, __ATOMIC_RELAXED)) return 1;
        if (call->looks != &current_call) return 0;
        long long now = milliseconds_now();
        if (now < call->next_look) return 0;
        /* who is the main thread is asked at the first look: most calls end before */
        if (!is_main_thread()) return call->looks = NULL, 0;
        return look_at_signals(call);
    }

    static void begin_call(call_state *call) {       /* of a thread of Python, as the two below */
        memset(call, 0, sizeof *call);
        call->looks = &current_call;
        call->mode = floating_now();
        call->thread = PyThread_get_thread_ident();
        call->next_look = milliseconds_now() + LOOK_EVERY;
        call->before = current_call;
        current_call = call;
        lock_state();
        call->next = all_calls;
        all_calls = call;
        unlock_state();
    }

    static int end_call(call_state *call) {          /* -1 with an exception if it was stopped */
        current_call = call->before;
        lock_state();
        call_state **link = &all_calls;
        while (*link != call) link = &(*link)->next;
        *link = call->next;
        unlock_state();
        if (call->type) PyErr_Restore(call->type, call->value, call->traceback);
        else if (call->stop) PyErr_SetNone(PyExc_KeyboardInterrupt);
        return call->stop ? -1 : 0;
    }

    static void help_call(call_state *call) { current_call = call; }

    static void keep_own_calls(void) {               /* in a forked child, where no other thread is in a call */
        call_state **link = &all_calls;
        while (*link)
            if ((*link)->thread == PyThread_get_thread_ident()) link = &(*link)->next;
            else *link = (*link)->next;
    }

    static int stop_calls(unsigned long thread) {
        int found = 0;
        lock_state();
        for (call_state *call = all_calls; call; call = call->next)
            if (call->thread == thread) __atomic_store_n(&call->stop, 1, __ATOMIC_RELAXED), found++;
        unlock_state();
        return found;
    }
    """
    ctypedef struct call_state:
        pass
    bint must_stop() noexcept nogil
    void begin_call(call_state* call) noexcept
    int end_call(call_state* call) except -1
    void help_call(call_state* call) noexcept nogil
    void keep_own_calls() noexcept
    int stop_calls(unsigned long thread) noexcept


def forget_other_calls():
    """Forget the calls of all other threads, in a child that was forked while they computed: they are not there."""
    keep_own_calls()


def interrupt(unsigned long thread):
    """Stop the calls that another Python thread is in: they raise KeyboardInterrupt there. Return their number."""
    return stop_calls(thread)
