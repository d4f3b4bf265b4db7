# One step of training: the steps of a plan run phase by phase over the batch. Within a phase a group of images goes
# through all steps, as in prediction; between phases every thread waits, because batch-norm needs the whole batch.
#
# An offset of the plan belongs to one of three memories, which it numbers one after the other:
#     scratch    of a thread: values that live within a phase
#     group      of a group of images: values that live in several phases
#     partial    of a chunk of groups: sums over its images, added in the order of the groups
# How groups are divided into chunks depends on their number alone, and chunks are added in their order, so that the
# number of threads changes no bit.

from libc.string cimport memcpy, memset

cdef enum:
    MAX_CHUNKS = 16
    SUM_BLOCK = 4096


def chunk_groups(Py_ssize_t groups):
    """Return how many groups make a chunk of a batch of that many: there are at most 16 chunks."""
    return (groups + MAX_CHUNKS - 1) // MAX_CHUNKS


cdef class Training:
    """A step of training, ready to run.

    Parameters
    ----------
    program : Program
        All steps; its arena is the three memories, one after the other.
    phases : sequence of (first, last, norm)
        Which steps make a phase, and what follows it: a mapping of the fields of a batch-norm, or None.
    sizes : (scratch, group, partial)
        Size of the three memories, in vectors.
    gradients : int
        Numbers in the partial memory that are gradients of parameters.
    batch, threads : int
        The most images, and the most threads.
    live : int
        Offset of a vector that is 1 for each image and 0 for the lanes beyond the last.
    """
    cdef Program _program
    cdef tuple _phases
    cdef list _kept                        # arrays whose memory the norms point to
    cdef Norm* _norms
    cdef Py_ssize_t _lanes
    cdef Py_ssize_t _scratch_size
    cdef Py_ssize_t _group_size
    cdef Py_ssize_t _partial_size
    cdef Py_ssize_t _gradients
    cdef Py_ssize_t _batch
    cdef Py_ssize_t _live
    cdef int _threads
    cdef float* _scratch
    cdef float* _groups
    cdef float* _partial
    cdef double* _clock                    # seconds of each step, or NULL

    def __cinit__(self, Program program, phases, sizes, Py_ssize_t gradients, Py_ssize_t batch, int threads,
                  Py_ssize_t live):
        cdef Py_ssize_t L = program._lanes, groups = (batch + L - 1) // L
        program._prepare()
        self._program, self._lanes = program, L
        self._scratch_size, self._group_size, self._partial_size = (size * L for size in sizes)
        self._gradients, self._batch, self._threads, self._live = gradients, batch, threads, live * L
        self._scratch = self._memory(threads * self._scratch_size)
        self._groups = self._memory(groups * self._group_size)
        self._partial = self._memory(min(groups, MAX_CHUNKS) * self._partial_size)
        self._kept = []
        self._phases = tuple((first, last, norm is not None) for first, last, norm in phases)
        self._norms = <Norm*>calloc(max(len(phases), 1), sizeof(Norm))
        if self._norms == NULL:
            raise MemoryError("no memory for the batch-norms of a step of training")
        for index, (_, _, norm) in enumerate(phases):
            if norm is not None:
                self._norm(&self._norms[index], norm)

    cdef float* _memory(self, Py_ssize_t floats) except NULL:
        cdef size_t size = max(floats, <Py_ssize_t>1) * sizeof(float)
        cdef float* memory = <float*>alloc_streamed(size)
        if memory == NULL:
            raise MemoryError(f"no memory for {size} bytes of activations")
        memset(memory, 0, size)
        return memory

    cdef _norm(self, Norm* norm, fields):
        norm.backward, norm.C, norm.count = fields["backward"], fields["C"], fields["count"]
        norm.sums = fields["sums"] * self._lanes - self._scratch_size
        norm.eps, norm.momentum = fields["eps"], fields["momentum"]
        norm.scale, norm.shift = self._writable(fields["scale"]), self._writable(fields["shift"])
        norm.running_mean = self._writable(fields["running_mean"])
        norm.running_var = self._writable(fields["running_var"])
        norm.front, norm.back = self._writable(fields["front"]), self._writable(fields["back"])
        norm.dscale = NULL if fields["dscale"] is None else self._writable(fields["dscale"])
        norm.dshift = NULL if fields["dshift"] is None else self._writable(fields["dshift"])

    cdef float* _writable(self, array) except NULL:
        cdef float[::1] flat = array.reshape(-1)
        self._kept.append(flat)
        return &flat[0]

    def __dealloc__(self):
        free(self._norms)
        free_aligned(self._scratch)
        free_aligned(self._groups)
        free_aligned(self._partial)

    def step(self, images, results, float[::1] gradients, int threads, pixels=None, double[::1] seconds=None):
        """Run all phases for N images and fill the gradients of the mean loss.

        Parameters
        ----------
        images : sequence of array (N, C, H, W)
            Images, targets and keys of dropout; see `Program.run`.
        results : sequence of array (N, count), float32
        gradients : array, float32
        threads : int
        pixels : (factor, shift), optional
        seconds : array, float64, optional
            What each step takes is added to it; on one thread only.
        """
        cdef Py_ssize_t groups = (len(images[0]) + self._lanes - 1) // self._lanes
        cdef Batch batch = self._divided(images, chunk_groups(groups))
        self._check_sums(1, gradients.shape[0])
        threads = self._run(images, results, &batch, threads, pixels, seconds)
        self._sum(self._partial, self._partial_size, batch.chunks, batch.N, &gradients[0], threads)

    def partial(self, images, results, float[:, ::1] sums, Py_ssize_t per_chunk, int threads, pixels=None):
        """Run all phases for whole chunks of a larger batch and fill the sums of each over its images.

        Parameters
        ----------
        images, results, threads, pixels
            As for `step`.
        sums : array (chunks, gradients), float32
        per_chunk : int
            Groups of a chunk, `chunk_groups` of the whole batch.
        """
        cdef Batch batch = self._divided(images, per_chunk)
        cdef Py_ssize_t chunk
        self._check_sums(batch.chunks if sums.shape[0] == batch.chunks else 0, sums.shape[1])
        self._run(images, results, &batch, threads, pixels, None)
        for chunk in range(batch.chunks):
            memcpy(&sums[chunk, 0], self._partial + chunk * self._partial_size, self._gradients * sizeof(float))

    def combine(self, const float[:, ::1] sums, Py_ssize_t images, float[::1] gradients, int threads):
        """Fill the gradients of the mean loss over all images from the sums of all chunks, in their order."""
        self._check_sums(sums.shape[0], sums.shape[1])
        self._check_sums(images, gradients.shape[0])
        self._sum(&sums[0, 0], sums.shape[1], sums.shape[0], images, &gradients[0], min(threads, self._threads))

    cdef Batch _divided(self, images, Py_ssize_t per_chunk):
        cdef Batch batch
        batch.N = len(images[0])
        if not 1 <= batch.N <= self._batch or per_chunk < 1:
            raise ValueError(f"{batch.N} images, in chunks of {per_chunk} groups, do not fit")
        batch.groups = (batch.N + self._lanes - 1) // self._lanes
        batch.per_chunk = per_chunk
        batch.chunks = (batch.groups + per_chunk - 1) // per_chunk
        if batch.chunks > MAX_CHUNKS:
            raise ValueError(f"{batch.N} images are more than {MAX_CHUNKS} chunks of {per_chunk} groups")
        return batch

    cdef _check_sums(self, Py_ssize_t count, Py_ssize_t gradients):
        if count < 1 or gradients != self._gradients:
            raise ValueError(f"sums of {gradients} numbers do not fit the {self._gradients} of the gradients")

    cdef int _run(self, images, results, const Batch* batch, int threads, pixels, double[::1] seconds) except -1:
        # Returns on how many threads.
        cdef Source[MAX_ENDS] sources
        cdef Sink[MAX_ENDS] sinks
        cdef int n_sources = len(self._program._inputs), n_sinks = len(self._program._outputs), i, phase
        cdef Py_ssize_t first, last, chunk
        cdef claim taken
        if len(images) != n_sources or len(results) != n_sinks:
            raise ValueError(f"{len(images)} inputs and {len(results)} results do not fit")
        if self._program._isa != _csrc.cnnfast_active():
            raise ValueError("the instruction set was changed after this plan was made")
        for i in range(n_sources):
            _bind_source(&sources[i], images[i], self._program._inputs[i], pixels, batch.N, self._lanes)
        for i in range(n_sinks):
            _bind_sink(&sinks[i], results[i], self._program._outputs[i], batch.N, self._lanes)
        threads = max(1, min(<Py_ssize_t>threads, min(batch.chunks, <Py_ssize_t>self._threads)))
        if seconds is not None and (threads > 1 or seconds.shape[0] != self._program._count):
            raise ValueError(f"{self._program._count} steps are timed on one thread")
        self._clock = NULL if seconds is None else &seconds[0]
        for phase, (first, last, has_norm) in enumerate(self._phases):
            memset(&taken, 0, sizeof(claim))
            if phase == 0:
                with nogil:
                    for chunk in prange(batch.chunks, schedule="static", num_threads=threads):
                        self._load_chunk(sources, n_sources, chunk, batch)
            with nogil, parallel(num_threads=threads):
                self._run_share(first, last, phase % 2, batch, &taken)
            if has_norm:
                self._join(&self._norms[phase], batch)
        with nogil:
            for chunk in prange(batch.chunks, schedule="static", num_threads=threads):
                self._store_chunk(sinks, n_sinks, chunk, batch)
        return threads

    cdef void _load_chunk(self, const Source* sources, int count, Py_ssize_t chunk, const Batch* b) noexcept nogil:
        cdef Py_ssize_t group, l, i
        cdef float* memory
        memset(self._partial + chunk * self._partial_size, 0, self._partial_size * sizeof(float))
        for group in range(chunk * b.per_chunk, min((chunk + 1) * b.per_chunk, b.groups)):
            memory = self._groups + group * self._group_size - self._scratch_size
            for i in range(count):
                load_chwn(self._program._isa, &sources[i], group * self._lanes, b.N, memory)
            for l in range(self._lanes):
                memory[self._live + l] = 1 if group * self._lanes + l < b.N else 0

    cdef void _store_chunk(self, const Sink* sinks, int count, Py_ssize_t chunk, const Batch* b) noexcept nogil:
        cdef Py_ssize_t group, i
        for group in range(chunk * b.per_chunk, min((chunk + 1) * b.per_chunk, b.groups)):
            for i in range(count):
                store_chwn(self._program._isa, &sinks[i], group * self._lanes, b.N,
                           self._groups + group * self._group_size - self._scratch_size)

    cdef void _run_share(self, Py_ssize_t first, Py_ssize_t last, bint downward, const Batch* b,
                         claim* taken) noexcept nogil:
        # What a thread does of a phase: its own chunks, then what others have not begun. It comes back to the chunks of
        # the last phase in the opposite order, because the last ones are in its cache.
        cdef int thread = openmp.omp_get_thread_num(), threads = openmp.omp_get_num_threads(), chunks = <int>b.chunks
        cdef int begin = thread * chunks // threads, end = (thread + 1) * chunks // threads
        cdef int wanted = chunks - end if downward else begin, part = claim_part(taken, wanted, chunks)
        while part >= 0:
            self._run_chunk(first, last, chunks - 1 - part if downward else part, b, thread)
            part = claim_part(taken, wanted, chunks)

    cdef void _run_chunk(self, Py_ssize_t first, Py_ssize_t last, Py_ssize_t chunk, const Batch* b,
                         int thread) noexcept nogil:
        cdef Py_ssize_t group, i, k
        cdef floating_mode before = floating_begin()
        cdef Step step
        cdef Context ctx
        cdef float* scratch = self._scratch + thread * self._scratch_size
        cdef float* partial = self._partial + chunk * self._partial_size
        cdef float* memory
        ctx = whole_step(self._program._isa, scratch)
        for group in range(chunk * b.per_chunk, min((chunk + 1) * b.per_chunk, b.groups)):
            memory = self._groups + group * self._group_size
            for i in range(first, last):
                memcpy(&step, &self._program._steps[i], sizeof(Step))
                for k in range(step.n_operands):
                    if step.src[k] >= 0:
                        step.constant[k] = self._at(step.src[k], scratch, memory, partial)
                        step.src[k] = -1
                step.dst = self._at(step.dst, scratch, memory, partial) - scratch
                step.workspace = self._at(step.workspace, scratch, memory, partial) - scratch
                if self._clock != NULL:
                    self._clock[i] -= clock.seconds_now()
                step.run(&step, &ctx)
                if self._clock != NULL:
                    self._clock[i] += clock.seconds_now()
        floating_end(before)

    cdef float* _at(self, Py_ssize_t offset, float* scratch, float* memory, float* partial) noexcept nogil:
        if offset < self._scratch_size:
            return scratch + offset
        offset -= self._scratch_size
        if offset < self._group_size:
            return memory + offset
        return partial + offset - self._group_size

    cdef void _join(self, const Norm* norm, const Batch* b) noexcept nogil:
        if norm.backward:
            norm_backward(norm, b, self._groups, self._group_size, <int>self._lanes)
        else:
            norm_forward(norm, b, self._groups, self._group_size, <int>self._lanes)

    cdef void _sum(self, const float* sums, Py_ssize_t row, Py_ssize_t chunks, Py_ssize_t images, float* gradients,
                   int threads) noexcept:
        cdef Py_ssize_t block, i, chunk, last, blocks = (self._gradients + SUM_BLOCK - 1) // SUM_BLOCK
        cdef float share = <float>(1.0 / images)
        cdef const float* p
        for block in prange(blocks, schedule="static", num_threads=threads, nogil=True):
            last = min((block + 1) * SUM_BLOCK, self._gradients)
            memcpy(gradients + block * SUM_BLOCK, sums + block * SUM_BLOCK,
                   (last - block * SUM_BLOCK) * sizeof(float))
            for chunk in range(1, chunks):
                p = sums + chunk * row
                for i in range(block * SUM_BLOCK, last):
                    gradients[i] += p[i]
            for i in range(block * SUM_BLOCK, last):
                gradients[i] *= share

    def memory(self):
        """Return the bytes of the three memories: scratch of all threads, of all groups, partial sums of all chunks."""
        groups = (self._batch + self._lanes - 1) // self._lanes
        chunks = min(groups, MAX_CHUNKS)
        return self._threads * self._scratch_size * 4, groups * self._group_size * 4, chunks * self._partial_size * 4
