# The program: the steps of a plan, run for every image of a batch in one call without the GIL. Threads take groups of
# images one after the other, each through the whole network in its own arena; there is no barrier between steps, and
# one parallel region takes the whole batch.
# In layouts nchw and nchw<L>c a group is one image, in layout chwn<L> it is L of them.

cdef extern from "work_claim.h" nogil:
    ctypedef struct claim:
        pass
    int claim_part(claim* t, int wanted, int parts)
    void finish_part(claim* t)
    int wait_for_parts(const claim* t, int parts, int spins)
    const int SPINS


cdef extern from "teams.h" nogil:
    int afford(int wanted)


cdef int affordable(int wanted) except -1:
    # how many threads a call gets; called with the GIL
    cdef int given = afford(wanted)
    if given < wanted and openmp.HAS_OPENMP:
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
        Makes the program that computes the same for one image at a time, and estimates what an image costs there, where
        a group costs 1 here; None if there is no such program. Called when it may be faster.
    work : float
        Multiply-adds of vectors for a group, roughly. From `SHARED_WORK` on threads share the work for one image.
    """
    cdef Step* _steps
    cdef Py_ssize_t _count
    cdef Py_ssize_t _arena                 # in floats
    cdef Py_ssize_t _stride                # from the arena of one thread to that of the next
    cdef Py_ssize_t _lanes
    cdef Py_ssize_t _group
    cdef object _make_steps
    cdef object _make_small_batch
    cdef int _has_steps                    # flags, raised once: what they are about never changes afterwards
    cdef int _knows_small_batch
    cdef Program _small_batch
    cdef Partitioner _partitioner
    cdef Sharing _sharing
    cdef const _csrc.cnnfast_kernels* _isa
    cdef list _kept
    cdef tuple _inputs
    cdef tuple _outputs

    def __cinit__(self, steps, Py_ssize_t arena, inputs, outputs, Py_ssize_t lanes=1, Py_ssize_t group=1,
                  small_batch=None, double work=0):
        self._lanes = lanes
        self._group = group
        self._make_small_batch = small_batch if group > 1 else None
        if self._make_small_batch is None:
            raise_flag(&self._knows_small_batch)
        self._partitioner.group, self._partitioner.estimate = group, UNKNOWN / group
        self._sharing.work = work
        self._isa = _csrc.cnnfast_active()
        self._arena = (max(arena, <Py_ssize_t>1) * lanes + 15) // 16 * 16
        # in whole pages: what one thread reads ahead must not be what another one writes
        self._stride = blocks_of(self._arena, FLOATS_PER_PAGE) * FLOATS_PER_PAGE
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._kept = []
        self._make_steps = steps if callable(steps) else None
        if self._make_steps is None:
            self._take(list(steps))

    cdef int _prepare(self) except -1:
        # before steps run, outside of nogil; where threads meet here, one makes them and the others wait
        if not is_raised(&self._has_steps):
            with planning:
                self._make()
        if self._lanes > 1 and self._isa != _csrc.cnnfast_active():
            raise ValueError("the instruction set was changed after this program was made")
        return 0

    cdef int _make(self) except -1:
        cdef double start = clock.seconds_now()
        if self._has_steps:
            return 0
        steps = list(self._make_steps())
        # unless a signal handler has computed with this program in the meantime
        if not self._has_steps:
            self._take(steps)
            self._make_steps = None
        del steps
        self._trim()
        lock_state()
        self._partitioner.packing = clock.seconds_now() - start
        unlock_state()
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
        raise_flag(&self._has_steps)

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

    def run(self, images, results, int threads, pixels=None, groups=None):
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
        groups : int, optional
            How many groups the first images form, while those behind them run alone; by default what is fastest.
            The results are the same.
        """
        cdef ImageBatch batch
        self._bind(&batch, images, pixels, results)
        threads = affordable(max(threads, 1))
        if groups is None:
            self._run_batch(&batch, threads, False)
        else:
            self._plan_small_batch()
            alone = batch.N - groups * self._group
            if not 0 <= groups <= blocks_of(batch.N, self._group) or alone > 0 and self._small_batch is None:
                raise ValueError(f"{batch.N} images cannot run as {groups} groups of {self._group}")
            self._run_partition(&batch, groups, threads)

    def measured(self, int threads):
        """Return the seconds that a group, and an image alone, have taken on one of ``threads`` threads; or 0."""
        cdef const Measured* m = &self._partitioner.measured[max(1, min(threads, <int>COUNTS)) - 1]
        cdef double group = 0, alone = 0
        lock_state()
        if m.threads == threads:
            group, alone = least_of(&m.kinds[0]), least_of(&m.kinds[1])
        unlock_state()
        return group, alone

    cdef int _bind(self, ImageBatch* batch, images, pixels, results) except -1:
        # where images come from and where results go
        cdef int i
        batch.n_sources, batch.n_sinks = len(self._inputs), len(self._outputs)
        if not 1 <= batch.n_sources == len(images) <= MAX_ENDS or not 1 <= batch.n_sinks == len(results) <= MAX_ENDS:
            raise ValueError(f"a program takes one array for each graph input and output, at most {MAX_ENDS} of each")
        batch.N = len(images[0])
        for i in range(batch.n_sources):
            _bind_source(&batch.sources[i], images[i], self._inputs[i], pixels, batch.N, self._lanes)
        for i in range(batch.n_sinks):
            _bind_sink(&batch.sinks[i], results[i], self._outputs[i], batch.N, self._lanes)
        return 0

    cdef int _run_batch(self, const ImageBatch* batch, int threads, bint alike) except -1:
        # all images, in the partition that takes the least time; ``alike`` says that all calls will be like this one
        cdef Partition partition
        cdef ImageBatch part
        cdef floating_mode before
        cdef double start
        cdef int ready
        if self._group == 1:
            return self._run_alone(batch, threads)
        if batch.N < self._group or alike:
            self._plan_small_batch()
        if is_raised(&self._knows_small_batch) and self._small_batch is None:
            return self._run_partition(batch, blocks_of(batch.N, self._group), threads)
        # times and costs leave no flag of an exception to the caller
        before = floating_begin()
        ready = self._ready()
        lock_state()
        if ready == ALONE:
            self._partitioner.packing = self._small_batch._partitioner.packing
        partition = choose_partition(&self._partitioner, batch.N, threads, ready, alike)
        unlock_state()
        start = clock.seconds_now() if partition.timed else 0
        floating_end(before)
        if partition.alone and not is_raised(&self._knows_small_batch):
            # the estimate was not of this network yet
            self._plan_small_batch()
            return self._run_batch(batch, threads, alike)
        if partition.head == batch.N:
            return self._run_timed(batch, partition, threads, start)
        part = batch[0]
        part.N = partition.head
        self._run_timed(&part, partition, threads, start)
        part = batch[0]
        skip_images(&part, partition.head)
        return self._run_batch(&part, threads, alike)

    cdef int _plan_small_batch(self) except -1:
        # packs no weights yet
        cdef double estimate
        if is_raised(&self._knows_small_batch):
            return 0
        with planning:
            if self._knows_small_batch:
                return 0
            made = self._make_small_batch()
            # unless a signal handler has computed with this program in the meantime
            if made is not None and not self._knows_small_batch:
                self._small_batch, estimate = made
                lock_state()
                self._partitioner.estimate, self._partitioner.sharing = estimate, &self._small_batch._sharing
                unlock_state()
            self._make_small_batch = None
            raise_flag(&self._knows_small_batch)
        return 0

    cdef int _ready(self) noexcept:
        # which programs have packed their weights
        cdef int groups = GROUPS if is_raised(&self._has_steps) else 0
        if not is_raised(&self._knows_small_batch) or self._small_batch is None:
            return groups
        return groups | ALONE if is_raised(&self._small_batch._has_steps) else groups

    cdef int _run_timed(self, const ImageBatch* batch, Partition partition, int threads, double start) except -1:
        cdef floating_mode before
        self._run_partition(batch, partition.groups, threads)
        if partition.timed:
            before = floating_begin()
            lock_state()
            note_time(&self._partitioner, partition, threads, clock.seconds_now() - start)
            unlock_state()
            floating_end(before)
        return 0

    cdef int _run_partition(self, const ImageBatch* batch, Py_ssize_t groups, int threads) except -1:
        # that many groups, and the images behind them alone, in borrowed arenas, one for each thread
        cdef Py_ssize_t together = min(batch.N, groups * self._group)
        cdef Program small = None
        cdef ImageBatch rest
        cdef Block block
        cdef Tasks tasks
        cdef call_state call
        tasks.groups, tasks.count, tasks.stride = groups, groups + batch.N - together, self._stride
        if together < batch.N:
            small = self._small_batch
            small._relocated(batch, &rest)
            skip_images(&rest, together)
            if groups == 0:
                return small._run_alone(&rest, threads)
            small._prepare()
            tasks.stride = max(tasks.stride, small._stride)
        self._prepare()
        tasks.threads = <int>min(<Py_ssize_t>threads, tasks.count)
        block = borrow(tasks.threads * (tasks.stride * sizeof(float) + sizeof(task_line)))
        tasks.arenas = <float*>block.data
        tasks.lines = <task_line*>(tasks.arenas + tasks.threads * tasks.stride)
        begin_call(&call)
        with nogil:
            run_tasks(self, batch, small, &rest, &tasks, &call)
        give_back(block)
        return end_call(&call)

    cdef int _relocated(self, const ImageBatch* batch, ImageBatch* moved) except -1:
        # the same images and results with their places in this program
        cdef int i
        moved[0] = batch[0]
        for i in range(batch.n_sources):
            _place_source(&moved.sources[i], self._inputs[i], self._lanes)
        for i in range(batch.n_sinks):
            moved.sinks[i].src = self._outputs[i][1] * self._lanes
        return 0

    cdef int _run_alone(self, const ImageBatch* batch, int threads) except -1:
        # images one at a time; threads that the last ones would leave idle share their work
        cdef Py_ssize_t N = batch.N, last = N % threads
        cdef int most = most_threads_of_an_image(self._sharing.work, last, threads), shares
        cdef bint timed = most > 1 and last == N
        cdef floating_mode before
        cdef double start
        cdef Block block
        cdef Tasks tasks
        cdef claim* claims
        cdef call_state call
        self._prepare()
        before = floating_begin()
        lock_state()
        shares = threads_to_time(&self._sharing, most) if timed else threads_of_an_image(&self._sharing, last, threads)
        unlock_state()
        start = clock.seconds_now() if timed else 0
        floating_end(before)
        if shares == 1:
            last, threads = 0, <int>min(<Py_ssize_t>threads, N)
        block = borrow(threads * (self._stride * sizeof(float) + sizeof(task_line))
                       + last * (self._count + 1) * sizeof(claim))
        tasks.groups = tasks.count = N - last
        tasks.threads, tasks.stride, tasks.arenas = threads, self._stride, <float*>block.data
        tasks.lines = <task_line*>(tasks.arenas + threads * self._stride)
        claims = <claim*>(tasks.lines + threads)
        begin_call(&call)
        with nogil:
            if N > last:
                run_tasks(self, batch, None, batch, &tasks, &call)
            if last:
                run_teams(self, batch, N - last, tasks.arenas, claims, shares, &call)
        give_back(block)
        end_call(&call)
        if timed:
            before = floating_begin()
            lock_state()
            note_sharing(&self._sharing, most, shares, clock.seconds_now() - start)
            unlock_state()
            floating_end(before)
        return 0

    cdef void _one(self, const ImageBatch* batch, Py_ssize_t group, float* arena, call_state* call) noexcept nogil:
        cdef Py_ssize_t i
        cdef Context ctx = whole_step(self._isa, arena)
        cdef floating_mode before = floating_begin()
        help_call(call)
        if not must_stop():
            for i in range(batch.n_sources):
                self._load(&batch.sources[i], group, batch.N, arena)
        for i in range(self._count):
            if must_stop():
                break
            self._steps[i].run(&self._steps[i], &ctx)
        if not must_stop():
            for i in range(batch.n_sinks):
                self._store(&batch.sinks[i], group, batch.N, arena)
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
        cdef ImageBatch batch
        cdef Py_ssize_t i, r
        cdef double start
        cdef Block block
        cdef float* arena
        cdef Context ctx
        cdef floating_mode before
        self._bind(&batch, images, pixels, results)
        if batch.N > self._group:
            raise ValueError(f"{batch.N} images are more than one group of {self._group}")
        self._prepare()
        best = [float("inf")] * (self._count + 2)
        block = borrow(self._arena * sizeof(float))
        arena = <float*>block.data
        ctx = whole_step(self._isa, arena)
        before = floating_begin()
        for r in range(rounds):
            start = clock.seconds_now()
            for i in range(batch.n_sources):
                self._load(&batch.sources[i], 0, batch.N, arena)
            best[0] = min(best[0], clock.seconds_now() - start)
            for i in range(self._count):
                start = clock.seconds_now()
                self._steps[i].run(&self._steps[i], &ctx)
                best[i + 1] = min(best[i + 1], clock.seconds_now() - start)
            start = clock.seconds_now()
            for i in range(batch.n_sinks):
                self._store(&batch.sinks[i], 0, batch.N, arena)
            best[self._count + 1] = min(best[self._count + 1], clock.seconds_now() - start)
        floating_end(before)
        give_back(block)
        return best
