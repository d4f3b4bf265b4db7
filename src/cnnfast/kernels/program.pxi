# The program: the steps of a plan, run for every image of a batch in one call without the GIL. Threads take groups of
# images one after the other, each through the whole network in its own arena; there is no barrier between steps.
# In layouts nchw and nchw<L>c a group is one image, in layout chwn<L> it is L of them.

cdef enum:
    SHARED_WORK = 400_000                  # about a tenth of a millisecond for each thread
    MAX_SHARES = 8


cdef extern from "work_claim.h" nogil:
    ctypedef struct claim:
        pass
    int claim_part(claim* t)
    void finish_part(claim* t)
    int wait_for_parts(const claim* t, int parts, int spins)
    const int SPINS


cdef extern from "teams.h" nogil:
    int afford(int wanted)


cdef int affordable(int wanted) except -1:
    # how many threads a call gets; called with the GIL
    cdef int given = afford(wanted)
    if given < wanted:
        message = f"the system gives {given} of {wanted} threads; cnnfast computes with those"
        PyErr_WarnEx(RuntimeWarning, message.encode(), 2)
    return given


cdef class Program:
    """The steps of a plan, ready to run.

    Parameters
    ----------
    steps : sequence of (kernel, ints, floats, operands, parameters, tables, dst, workspace)
        Or what returns them: then it is called when the first group is to run.
        ``kernel`` is a name in `KERNELS`, ``ints`` and ``floats`` map the names that it lists to values; each operand
        is a place in the arena or a float32 array, each parameter a float32 array or None, each table an int32 array or
        None; ``dst`` and ``workspace`` are places.
    arena : int
        Size of one thread's arena, in elements.
    inputs : sequence of (shape, place, channel, row)
        Shape (C, H, W) of each graph input, its place, and the distance of its channels and rows.
    outputs : sequence of (count, place)
        Number of elements of each graph output and its place.
    lanes : int
        Floats in an element: 1 for layout nchw, else what `lanes` returns.
    group : int
        Images in a group: the lanes for layout chwn<L>, else 1.
    small_batch : callable () -> (Program, cost) or None, optional
        Makes the program that computes the same for one image at a time, and says what an image costs there, where a
        group costs 1 here; None if there is no such program. Called at the first batch smaller than a group.
    work : float
        Multiply-adds of vectors for a group, roughly. From `SHARED_WORK` on threads share the work for one image.
    """
    cdef Step* _steps
    cdef Py_ssize_t _count
    cdef Py_ssize_t _arena
    cdef Py_ssize_t _lanes
    cdef Py_ssize_t _group
    cdef object _make_steps
    cdef object _make_small_batch
    cdef Program _small_batch
    cdef double _small_batch_cost
    cdef double _work
    cdef const _csrc.cnnfast_kernels* _isa
    cdef list _kept
    cdef tuple _inputs
    cdef tuple _outputs

    def __cinit__(self, steps, Py_ssize_t arena, inputs, outputs, Py_ssize_t lanes=1, Py_ssize_t group=1,
                  small_batch=None, double work=0):
        self._lanes = lanes
        self._group = group
        self._make_small_batch = small_batch
        self._work = work
        self._isa = _csrc.cnnfast_active()
        self._arena = (max(arena, <Py_ssize_t>1) * lanes + 15) // 16 * 16
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._kept = []
        self._make_steps = steps if callable(steps) else None
        if self._make_steps is None:
            self._take(list(steps))

    cdef int _prepare(self) except -1:
        # called with the GIL before steps run; where threads meet here, each makes them and the first ones stay
        make = self._make_steps
        if make is not None:
            steps = list(make())
            if self._make_steps is not None:
                self._take(steps)
                self._make_steps = None
            del steps, make
            self._trim()
        return 0

    cdef _trim(self):
        # glibc would keep the memory that weights were packed in for later, as if there were more to pack
        if sum(array.nbytes for array in self._kept) > WORTH_TRIMMING:
            trim_heap()

    cdef _take(self, list steps):
        cdef Kernel kernel
        cdef Step* made = <Step*>calloc(max(len(steps), 1), sizeof(Step))
        if made == NULL:
            raise MemoryError("no memory for the steps of a program")
        try:
            for index, (name, ints, floats, operands, parameters, tables, dst, workspace) in enumerate(steps):
                kernel = kernel_named(name)
                made[index].run, made[index].splits = kernel.run, kernel.splits
                made[index].needs_barrier = kernel.needs_barrier
                kernel.fill(&made[index].geometry, ints, floats)
                self._places(&made[index], name, operands, dst, workspace)
                self._arrays(&made[index], parameters, tables)
                check_reach(kernel, ints, operands, parameters, tables, dst, workspace, self._lanes, self._arena)
        except BaseException:
            free(made)
            raise
        self._steps, self._count = made, len(steps)

    def __dealloc__(self):
        free(self._steps)

    cdef _places(self, Step* step, str kernel, operands, dst, workspace):
        step.n_operands = len(operands)
        if step.n_operands > MAX_OPERANDS:
            raise ValueError(f"{kernel}: {step.n_operands} operands, at most {MAX_OPERANDS}")
        for i, value in enumerate(operands):
            if isinstance(value, int):
                step.src[i] = self._place(kernel, value)
            else:
                step.src[i] = -1
                step.constant[i] = self._floats(value)
        step.dst = self._place(kernel, dst)
        step.workspace = self._place(kernel, workspace)

    cdef Py_ssize_t _place(self, str kernel, Py_ssize_t place) except -1:
        if not 0 <= place * self._lanes < self._arena:
            raise ValueError(f"{kernel}: place {place} is outside the arena of {self._arena // self._lanes}")
        return place * self._lanes

    cdef _arrays(self, Step* step, parameters, tables):
        for i, array in enumerate(parameters):
            step.p[i] = NULL if array is None else self._floats(array)
        for i, array in enumerate(tables):
            step.t[i] = NULL if array is None else self._ints(array)

    cdef float* _floats(self, array) except NULL:
        cdef const float[::1] flat = array.reshape(-1)
        self._kept.append(flat)
        return <float*>&flat[0]

    cdef int* _ints(self, array) except NULL:
        cdef const int[::1] flat = array
        self._kept.append(flat)
        return <int*>&flat[0]

    def run(self, images, results, int threads, pixels=None):
        """Run the steps for N images.

        Parameters
        ----------
        images : sequence of array (N, C, H, W), uint8 or float32
            One for each graph input; any strides.
        results : sequence of array (N, count), float32
            Filled with the outputs.
        threads : int
        pixels : (factor, shift), each float32 (C,), optional
            What turns the bytes of a uint8 image into values.
        """
        cdef Source[MAX_ENDS] sources
        cdef Sink[MAX_ENDS] sinks
        cdef Py_ssize_t N = self._bind(sources, images, pixels, sinks, results)
        self._run_groups(sources, len(images), sinks, len(results), N, threads)

    cdef Py_ssize_t _bind(self, Source* sources, images, pixels, Sink* sinks, results) except -1:
        # where images come from and where results go; returns how many images there are
        cdef int n_sources = len(self._inputs), n_sinks = len(self._outputs), i
        cdef Py_ssize_t N
        if not 1 <= n_sources == len(images) <= MAX_ENDS or not 1 <= n_sinks == len(results) <= MAX_ENDS:
            raise ValueError(f"a program takes one array for each graph input and output, at most {MAX_ENDS} of each")
        N = len(images[0])
        for i in range(n_sources):
            _bind_source(&sources[i], images[i], self._inputs[i], pixels, N, self._lanes)
        for i in range(n_sinks):
            _bind_sink(&sinks[i], results[i], self._outputs[i], N, self._lanes)
        return N

    cdef int _run_groups(self, const Source* sources, int n_sources, const Sink* sinks, int n_sinks,
                         Py_ssize_t N, int threads) except -1:
        # N images: whole groups here, and those that are left here or one at a time, whichever is faster
        cdef Source[MAX_ENDS] rest_sources
        cdef Sink[MAX_ENDS] rest_sinks
        cdef Py_ssize_t left = N % self._group, whole = N - left
        cdef int i
        if left == 0 or not self._prefers_small_batch(whole // self._group, left, threads):
            return self._run_all(sources, n_sources, sinks, n_sinks, N, threads)
        if whole:
            self._run_all(sources, n_sources, sinks, n_sinks, whole, threads)
        for i in range(n_sources):
            rest_sources[i] = sources[i]
            rest_sources[i].data += whole * sources[i].stride[0]
            _place_source(&rest_sources[i], self._small_batch._inputs[i], self._small_batch._lanes)
        for i in range(n_sinks):
            rest_sinks[i] = sinks[i]
            rest_sinks[i].data += whole * sinks[i].count
            rest_sinks[i].src = self._small_batch._outputs[i][1] * self._small_batch._lanes
        return self._small_batch._run_all(rest_sources, n_sources, rest_sinks, n_sinks, left, threads)

    cdef bint _prefers_small_batch(self, Py_ssize_t groups, Py_ssize_t left, int threads) except -1:
        # whether images that fill no group are faster one at a time: what counts is the thread with the most work
        cdef double together, apart
        if self._make_small_batch is not None and groups == 0:
            make, self._make_small_batch = self._make_small_batch, None
            made = make()
            if made is not None:
                self._small_batch_cost = made[1]
                self._small_batch = made[0]
                del made, make
                self._small_batch._trim()
        if self._small_batch is None:
            return False
        threads = max(threads, 1)
        together = (groups + 1 + threads - 1) // threads
        apart = (groups + threads - 1) // threads + (left + threads - 1) // threads * self._small_batch_cost
        return apart < together

    cdef int _run_all(self, const Source* sources, int n_sources, const Sink* sinks, int n_sinks,
                      Py_ssize_t N, int threads) except -1:
        # N images in borrowed arenas, one for each thread; called with the GIL, which it releases
        cdef Py_ssize_t groups = (N + self._group - 1) // self._group, group
        cdef int shares
        cdef Block block
        cdef float* arenas
        cdef call_state call
        self._prepare()
        if self._lanes > 1 and self._isa != _csrc.cnnfast_active():
            raise ValueError("the instruction set was changed after this program was made")
        shares = self._threads_of_an_image(N, threads)
        threads = max(1, min(<Py_ssize_t>threads, groups)) if shares == 1 else shares
        threads = affordable(threads)
        shares = min(shares, threads)
        block = borrow(threads * self._arena * sizeof(float) + (self._count + 1) * sizeof(claim))
        arenas = <float*>block.data
        begin_call(&call)
        with nogil:
            if shares > 1:
                for group in range(groups):
                    self._one_shared(sources, n_sources, sinks, n_sinks, group, N, arenas, shares, &call)
            elif threads == 1:
                for group in range(groups):
                    self._one(sources, n_sources, sinks, n_sinks, group, N, arenas, &call)
            else:
                for group in prange(groups, schedule="dynamic", num_threads=threads):
                    self._one(sources, n_sources, sinks, n_sinks, group, N,
                              arenas + openmp.omp_get_thread_num() * self._arena, &call)
        give_back(block)
        return end_call(&call)

    cdef int _threads_of_an_image(self, Py_ssize_t N, int threads) noexcept nogil:
        # how many threads share the work for one image: several if it is large, and if most would else be idle
        if self._lanes == 1 or self._group > 1 or 2 * N > threads:
            return 1
        return max(1, min(threads, <int>min(self._work / SHARED_WORK + 1, <double>MAX_SHARES)))

    cdef void _one_shared(self, const Source* sources, int n_sources, const Sink* sinks, int n_sinks,
                          Py_ssize_t group, Py_ssize_t N, float* arenas, int threads,
                          call_state* call) noexcept nogil:
        # all values are in the first arena; the others are workspaces, and the claims of load and steps follow them
        cdef claim* claims = <claim*>(arenas + threads * self._arena)
        cdef int i
        memset(claims, 0, (self._count + 1) * sizeof(claim))
        with parallel(num_threads=threads):
            self._share(sources, n_sources, group, N, arenas, claims, openmp.omp_get_thread_num(), threads, call)
        for i in range(n_sinks):
            self._store(&sinks[i], group, N, arenas)

    cdef void _share(self, const Source* sources, int n_sources, Py_ssize_t group, Py_ssize_t N, float* arenas,
                     claim* claims, int thread, int parts, call_state* call) noexcept nogil:
        # What one thread does: it claims parts of each step as long as there are any. In a call that stops it continues
        # to claim, so that no thread waits forever, but computes nothing.
        cdef Py_ssize_t i, known = 0
        cdef int part, others, spins
        cdef const Step* step
        cdef Context ctx
        cdef floating_mode before = floating_begin()
        ctx.isa, ctx.arena, ctx.thread_arena = self._isa, arenas, arenas + thread * self._arena
        help_call(call)
        if claim_part(&claims[0]) == 0:
            for i in range(n_sources):
                self._load(&sources[i], group, N, arenas)
            finish_part(&claims[0])
        for i in range(self._count):
            step = &self._steps[i]
            while step.needs_barrier and known <= i:
                others = parts if known and self._steps[known - 1].splits else 1
                spins = SPINS
                while not wait_for_parts(&claims[known], others, spins):
                    spins = 0
                    must_stop()
                known += 1
            ctx.parts = parts if step.splits else 1
            part = claim_part(&claims[i + 1])
            while part < ctx.parts:
                if not must_stop():
                    ctx.part = part
                    step.run(step, &ctx)
                finish_part(&claims[i + 1])
                part = claim_part(&claims[i + 1])
        help_call(NULL)
        floating_end(before)

    cdef void _one(self, const Source* sources, int n_sources, const Sink* sinks, int n_sinks,
                   Py_ssize_t group, Py_ssize_t N, float* arena, call_state* call) noexcept nogil:
        cdef Py_ssize_t i
        cdef Context ctx = whole_step(self._isa, arena)
        cdef floating_mode before = floating_begin()
        help_call(call)
        if not must_stop():
            for i in range(n_sources):
                self._load(&sources[i], group, N, arena)
        for i in range(self._count):
            if must_stop():
                break
            self._steps[i].run(&self._steps[i], &ctx)
        if not must_stop():
            for i in range(n_sinks):
                self._store(&sinks[i], group, N, arena)
        help_call(NULL)
        floating_end(before)

    cdef void _load(self, const Source* source, Py_ssize_t group, Py_ssize_t N, float* arena) noexcept nogil:
        if self._group > 1:
            load_chwn(self._isa, source, group * self._group, N, arena)
        elif self._lanes > 1:
            load_nchwc(self._isa, source, group, arena)
        else:
            load_nchw(source, group, arena)

    cdef void _store(self, const Sink* sink, Py_ssize_t group, Py_ssize_t N, const float* arena) noexcept nogil:
        if self._group > 1:
            store_chwn(self._isa, sink, group * self._group, N, arena)
        else:
            store_nchw(sink, group, arena)

    def profile(self, images, results, int rounds, pixels=None):
        """Time the steps over one group of images, or a part of one, on one thread; takes the arrays that `run` takes.

        Returns
        -------
        list of float
            Seconds of loading, of each step, and of storing: the least of ``rounds``.
        """
        cdef Source[MAX_ENDS] sources
        cdef Sink[MAX_ENDS] sinks
        cdef Py_ssize_t N = self._bind(sources, images, pixels, sinks, results), i, r
        cdef int n_sources = len(images), n_sinks = len(results)
        cdef double start
        cdef Block block
        cdef float* arena
        cdef Context ctx
        cdef floating_mode before
        if N > self._group:
            raise ValueError(f"{N} images are more than one group of {self._group}")
        self._prepare()
        best = [float("inf")] * (self._count + 2)
        block = borrow(self._arena * sizeof(float))
        arena = <float*>block.data
        ctx = whole_step(self._isa, arena)
        before = floating_begin()
        for r in range(rounds):
            start = openmp.omp_get_wtime()
            for i in range(n_sources):
                self._load(&sources[i], 0, N, arena)
            best[0] = min(best[0], openmp.omp_get_wtime() - start)
            for i in range(self._count):
                start = openmp.omp_get_wtime()
                self._steps[i].run(&self._steps[i], &ctx)
                best[i + 1] = min(best[i + 1], openmp.omp_get_wtime() - start)
            start = openmp.omp_get_wtime()
            for i in range(n_sinks):
                self._store(&sinks[i], 0, N, arena)
            best[self._count + 1] = min(best[self._count + 1], openmp.omp_get_wtime() - start)
        floating_end(before)
        give_back(block)
        return best
