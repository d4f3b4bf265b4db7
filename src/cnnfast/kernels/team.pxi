# Several threads that compute one image: a team shares the steps of a program.

cdef void run_teams(Program program, const ImageBatch* batch, Py_ssize_t first, float* arenas, claim* claims,
                    int shares, call_state* call) noexcept nogil:
    # The images from the first one on, each by a team of threads. All its values are in the arena of the first thread
    # of a team; those of the others are workspaces. If there are fewer threads than asked for, some teams come later.
    cdef Py_ssize_t images = batch.N - first, stride = program._stride
    cdef int i, team
    memset(claims, 0, images * (program._count + 1) * sizeof(claim))
    with parallel(num_threads=images * shares):
        join_teams(program, batch, first, arenas, claims, shares, call)
    for team in range(images):
        for i in range(batch.n_sinks):
            program._store(&batch.sinks[i], first + team, batch.N, arenas + team * shares * stride)


cdef void join_teams(Program program, const ImageBatch* batch, Py_ssize_t first, float* arenas, claim* claims,
                     int shares, call_state* call) noexcept nogil:
    # what each thread of the parallel region does; a thread that would make no whole team is idle
    cdef int teams = max(1, openmp.omp_get_num_threads() // shares), thread = openmp.omp_get_thread_num()
    cdef int team = thread // shares
    while thread < teams * shares and team < batch.N - first:
        share_image(program, batch, first + team, arenas + team * shares * program._stride,
                    claims + team * (program._count + 1), thread % shares, shares, call)
        team += teams


cdef void share_image(Program program, const ImageBatch* batch, Py_ssize_t image, float* arenas, claim* claims,
                      int thread, int parts, call_state* call) noexcept nogil:
    # What one thread does: it claims parts of each step as long as there are any. In a call that stops it continues
    # to claim, so that no thread waits forever, but computes nothing.
    cdef Py_ssize_t i, known = 0
    cdef int part, others, spins
    cdef const Step* step
    cdef Context ctx
    cdef floating_mode before = floating_begin()
    ctx.isa, ctx.arena, ctx.thread_arena = program._isa, arenas, arenas + thread * program._stride
    help_call(call)
    if claim_part(&claims[0], 0, 1) == 0:
        for i in range(batch.n_sources):
            program._load(&batch.sources[i], image, batch.N, arenas)
        finish_part(&claims[0])
    for i in range(program._count):
        step = &program._steps[i]
        while step.needs_barrier and known <= i:
            others = parts if known and program._steps[known - 1].splits else 1
            spins = SPINS
            while not wait_for_parts(&claims[known], others, spins):
                spins = 0
                must_stop()
            known += 1
        ctx.parts = parts if step.splits else 1
        part = claim_part(&claims[i + 1], thread, ctx.parts)
        while part >= 0:
            if not must_stop():
                ctx.part = part
                step.run(step, &ctx)
            finish_part(&claims[i + 1])
            part = claim_part(&claims[i + 1], thread, ctx.parts)
    help_call(NULL)
    floating_end(before)
