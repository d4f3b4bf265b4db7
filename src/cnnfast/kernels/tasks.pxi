# The tasks of a call, groups of images and images alone: threads take them one after the other, and wait at the end for
# what others still compute instead of falling asleep: waking them takes as long as a small network needs for an image.

cdef extern from "work_claim.h" nogil:
    ctypedef struct task_line:
        pass
    long take_task(task_line* t, long tasks)
    void finish_task(task_line* t)
    void wait_for_tasks(const task_line* t, long tasks)


cdef void run_tasks(Program program, const ImageBatch* batch, Py_ssize_t groups, Program small, const ImageBatch* rest,
                    Py_ssize_t tasks, float* arenas, Py_ssize_t arena, int threads, call_state* call) noexcept nogil:
    # first the groups of a batch, then the images of the rest through the program for small batches
    cdef task_line line
    memset(&line, 0, sizeof(task_line))
    if threads == 1:
        take_tasks(program, batch, groups, small, rest, tasks, arenas, &line, call)
        return
    with parallel(num_threads=threads):
        take_tasks(program, batch, groups, small, rest, tasks, arenas + openmp.omp_get_thread_num() * arena, &line,
                   call)


cdef void take_tasks(Program program, const ImageBatch* batch, Py_ssize_t groups, Program small,
                     const ImageBatch* rest, Py_ssize_t tasks, float* arena, task_line* line,
                     call_state* call) noexcept nogil:
    # what each thread does, in an arena of its own
    cdef Py_ssize_t task = take_task(line, tasks)
    while task >= 0:
        if task < groups:
            program._one(batch, task, arena, call)
        else:
            small._one(rest, task - groups, arena, call)
        finish_task(line)
        task = take_task(line, tasks)
    wait_for_tasks(line, tasks)
