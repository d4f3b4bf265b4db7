# The program: the steps of a plan, run for every image of a batch in one call without the GIL. Threads take images one
# after the other, each through the whole network in an arena of its own; there is no barrier between steps.

cdef enum:
    ALIGNMENT = 64


cdef struct Source:
    # where the pixels of one graph input lie, and where they go
    const char* data
    Py_ssize_t stride[4]                   # bytes from one image, channel, row, column to the next
    bint is_bytes                          # uint8 pixels, else float32 values
    Py_ssize_t C
    Py_ssize_t H
    Py_ssize_t W
    const float* factor                    # (C,): a pixel becomes byte * factor + shift
    const float* shift
    Py_ssize_t dst


cdef struct Sink:
    float* data                            # (N, count)
    Py_ssize_t count
    Py_ssize_t src


cdef void load_nchw(const Source* source, Py_ssize_t n, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, j
    cdef const char* row
    cdef float* y = arena + source.dst
    for c in range(source.C):
        for i in range(source.H):
            row = source.data + n * source.stride[0] + c * source.stride[1] + i * source.stride[2]
            for j in range(source.W):
                if source.is_bytes:
                    y[0] = (<const unsigned char*>row)[0] * source.factor[c] + source.shift[c]
                else:
                    y[0] = (<const float*>row)[0]
                row += source.stride[3]
                y += 1


cdef void store_nchw(const Sink* sink, Py_ssize_t n, const float* arena) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(sink.count):
        sink.data[n * sink.count + i] = arena[sink.src + i]


cdef class Program:
    """The steps of a plan, ready to run.

    Parameters
    ----------
    steps : sequence of (kernel, ints, floats, operands, parameters, dst)
        ``kernel`` is a name in `KERNELS`, ``ints`` and ``floats`` map the names that it lists to values; each operand is an
        offset in the arena or a float32 array, each parameter a float32 array or None; ``dst`` is an offset.
    arena : int
        Size of one thread's arena, in floats.
    inputs : sequence of (shape, offset)
        Shape (C, H, W) and place of each graph input.
    outputs : sequence of (count, offset)
        Number of elements and place of each graph output.
    """
    cdef Step* _steps
    cdef Py_ssize_t _count
    cdef Py_ssize_t _arena
    cdef list _kept
    cdef tuple _inputs
    cdef tuple _outputs

    def __cinit__(self, steps, Py_ssize_t arena, inputs, outputs):
        steps = list(steps)
        self._count = len(steps)
        self._arena = (arena + 15) // 16 * 16
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._kept = []
        self._steps = <Step*>calloc(max(self._count, 1), sizeof(Step))
        if self._steps == NULL:
            raise MemoryError("no memory for the steps of a program")
        for index, (kernel, ints, floats, operands, parameters, dst) in enumerate(steps):
            self._enter(&self._steps[index], kernel, ints, floats, operands, parameters, dst)

    def __dealloc__(self):
        free(self._steps)

    cdef _enter(self, Step* step, str kernel, dict ints, dict floats, operands, parameters, Py_ssize_t dst):
        address, int_names, float_names = _TABLE[kernel]
        int_names, float_names = int_names.split(), float_names.split()
        if set(int_names) != set(ints) or set(float_names) != set(floats):
            raise ValueError(f"{kernel} takes {int_names} and {float_names}, but was given {list(ints)}, {list(floats)}")
        if len(operands) > MAX_OPERANDS or len(parameters) > MAX_PARAMETERS or not 0 <= dst < self._arena:
            raise ValueError(f"{kernel}: {len(operands)} operands, {len(parameters)} parameters, result at {dst}")
        step.run = <kernel_t><size_t>address
        step.dst = dst
        for i, name in enumerate(int_names):
            step.g[i] = ints[name]
        for i, name in enumerate(float_names):
            step.f[i] = floats[name]
        for i, value in enumerate(operands):
            if isinstance(value, int):
                if not 0 <= value < self._arena:
                    raise ValueError(f"{kernel}: operand {i} at {value} lies outside the arena of {self._arena}")
                step.src[i] = value
            else:
                step.src[i] = -1
                step.constant[i] = self._pointer(value)
        for i, value in enumerate(parameters):
            step.p[i] = NULL if value is None else self._pointer(value)

    cdef const float* _pointer(self, array) except NULL:
        cdef const float[::1] flat = array.reshape(-1)
        self._kept.append(flat)
        return &flat[0]

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
        cdef Source[8] sources
        cdef Sink[8] sinks
        cdef int n_sources = len(self._inputs), n_sinks = len(self._outputs), i
        cdef Py_ssize_t N = len(images[0]), n
        cdef float* arenas
        if not 1 <= n_sources == len(images) <= 8 or not 1 <= n_sinks == len(results) <= 8:
            raise ValueError("a program takes one array for each graph input and output, at most 8 of each")
        for i in range(n_sources):
            _bind_source(&sources[i], images[i], self._inputs[i], pixels, N)
        for i in range(n_sinks):
            _bind_sink(&sinks[i], results[i], self._outputs[i], N)
        threads = max(1, min(<Py_ssize_t>threads, N))
        arenas = <float*>aligned_alloc(ALIGNMENT, threads * max(self._arena, 16) * sizeof(float))
        if arenas == NULL:
            raise MemoryError(f"no memory for {threads} arenas of {self._arena * 4} bytes")
        with nogil:
            if threads == 1:
                for n in range(N):
                    self._one(sources, n_sources, sinks, n_sinks, n, arenas)
            else:
                for n in prange(N, schedule="dynamic", num_threads=threads):
                    self._one(sources, n_sources, sinks, n_sinks, n, arenas + openmp.omp_get_thread_num() * self._arena)
        free(arenas)

    cdef void _one(self, const Source* sources, int n_sources, const Sink* sinks, int n_sinks,
                   Py_ssize_t n, float* arena) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n_sources):
            load_nchw(&sources[i], n, arena)
        for i in range(self._count):
            self._steps[i].run(&self._steps[i], arena)
        for i in range(n_sinks):
            store_nchw(&sinks[i], n, arena)


cdef _bind_source(Source* source, array, place, pixels, Py_ssize_t N):
    cdef const unsigned char[:, :, :, :] as_bytes
    cdef const float[:, :, :, :] as_floats
    cdef const float[::1] factor, shift
    (C, H, W), source.dst = place
    source.C, source.H, source.W = C, H, W
    if tuple(array.shape) != (N, C, H, W):
        raise ValueError(f"images of shape {tuple(array.shape)} do not fit ({N}, {C}, {H}, {W})")
    source.is_bytes = array.dtype == "uint8"
    if source.is_bytes:
        factor, shift = pixels
        if factor.shape[0] != C or shift.shape[0] != C:
            raise ValueError(f"factor and shift must have {C} elements")
        source.factor, source.shift = &factor[0], &shift[0]
        as_bytes = array
        source.data = <const char*>&as_bytes[0, 0, 0, 0]
        strides = array.strides
    else:
        as_floats = array
        source.data = <const char*>&as_floats[0, 0, 0, 0]
        strides = array.strides
    for i in range(4):
        source.stride[i] = strides[i]


cdef _bind_sink(Sink* sink, array, place, Py_ssize_t N):
    cdef float[:, ::1] values = array
    sink.count, sink.src = place
    if values.shape[0] != N or values.shape[1] != sink.count:
        raise ValueError(f"a result of shape {tuple(array.shape)} does not fit ({N}, {sink.count})")
    sink.data = &values[0, 0]
