# The tasks of a call, groups of images and images alone: threads take them one after the other, and wait at the end for
# what others still compute instead of falling asleep: waking them takes as long as a small network needs for an image.

cdef extern from "work_claim.h" nogil:
    ctypedef struct task_line:
        pass
    void deal_tasks(task_line* lines, int threads, long tasks, bint alike)
    long take_task(task_line* lines, int threads, int thread)
    void finish_task(task_line* own)
    void wait_for_tasks(const task_line* lines, int threads, long tasks)


cdef struct Tasks:
    Py_ssize_t groups                      # come first
    Py_ssize_t count                       # of groups and of images alone
    task_line* lines                       # one for each thread
    float* arenas                          # the same
    Py_ssize_t stride                      # from one arena to the next
    int threads


cdef void run_tasks(Program program, const ImageBatch* batch, Program small, const ImageBatch* rest,
                    const Tasks* tasks, call_state* call) noexcept nogil:
    # first the groups of a batch, then the images of the rest through the program for small batches
    deal_tasks(tasks.lines, tasks.threads, tasks.count, tasks.groups == 0 or tasks.groups == tasks.count)
    if tasks.threads == 1:
        take_tasks(program, batch, small, rest, tasks, 0, call)
        return
    with parallel(num_threads=tasks.threads):
        take_tasks(program, batch, small, rest, tasks, openmp.omp_get_thread_num(), call)


cdef void take_tasks(Program program, const ImageBatch* batch, Program small, const ImageBatch* rest,
                     const Tasks* tasks, int thread, call_state* call) noexcept nogil:
    # what each thread does, in an arena of its own
    cdef float* arena = tasks.arenas + thread * tasks.stride
    cdef Py_ssize_t task = take_task(tasks.lines, tasks.threads, thread)
    while task >= 0:
        if task < tasks.groups:
            program._one(batch, task, arena, call)
        else:
            small._one(rest, task - tasks.groups, arena, call)
        finish_task(tasks.lines + thread)
        task = take_task(tasks.lines, tasks.threads, thread)
    wait_for_tasks(tasks.lines, tasks.threads, tasks.count)
