# Which instruction set runs, and how fast this machine multiplies and adds.


def known_isas():
    """Return the names of the instruction sets that this build has, the most capable last."""
    return [_csrc.cnnfast_isa_name(i).decode() for i in range(_csrc.cnnfast_isa_count())]


def supported_isas():
    """Return those of `known_isas` that this CPU can run."""
    return [name for i, name in enumerate(known_isas()) if _csrc.cnnfast_isa_supported(i)]


def active_isa():
    """Return the instruction set that the kernels use."""
    return _csrc.cnnfast_active().isa.decode()


def has_fma(str name=None):
    """Return whether an instruction set, by default the active one, has a fused multiply-add.

    Results of those without one may differ from those of all others in the last bits.
    """
    return bool(_csrc.cnnfast_isa_has_fma(known_isas().index(name or active_isa())))


def select_isa(str name):
    """Use the kernels of one instruction set; it must be supported."""
    names = known_isas()
    if name not in supported_isas():
        raise ValueError(f"{name!r} is not one of {', '.join(supported_isas())}")
    _csrc.cnnfast_select(names.index(name))


def fma_peak(int rounds=200_000):
    """Measure the peak of multiply-adds on one core with the active instruction set.

    Returns
    -------
    float
        GFLOP/s in float32, the best of nine runs.
    """
    cdef double best = 0, seconds, start
    cdef double flops = 0
    cdef int i
    cdef float sink = 0
    with nogil:
        for i in range(9):
            start = clock.seconds_now()
            flops = _csrc.cnnfast_active().fma_peak_f32(rounds, &sink)
            seconds = clock.seconds_now() - start
            best = max(best, flops / seconds)
    return best / 1e9


def dot_products():
    """Return how the integer kernels of the active instruction set can multiply bytes on this CPU, the best last.

    All give the same sums; which one runs is for tests and benchmarks to choose.
    """
    return [_csrc.cnnfast_dot_name(i).decode() for i in range(_csrc.cnnfast_dot_count())]


def active_dot_product():
    """Return how the integer kernels multiply bytes: "amx", "vnni", "sdot" or "widening" to 16 bits."""
    return _csrc.cnnfast_active_int8().dot.decode()


def select_dot_product(str name):
    """Use one of `dot_products`."""
    names = dot_products()
    if name not in names:
        raise ValueError(f"{name!r} is not one of {', '.join(names)}")
    _csrc.cnnfast_use_dot(names.index(name))


def has_matrix_tiles():
    """Return whether the integer kernels multiply bytes by matrix tiles."""
    return bool(_csrc.cnnfast_active_int8().has_matrix)


def dot_peak(int rounds=200_000):
    """Measure the peak of dot products of bytes on one core with the active instruction set.

    Returns
    -------
    float
        GOP/s, a product and an addition each one operation; the best of nine runs.
    """
    cdef double best = 0, seconds, start
    cdef double done = 0
    cdef int i
    cdef int sink = 1
    with nogil:
        for i in range(9):
            start = clock.seconds_now()
            done = _csrc.cnnfast_active_int8().dot_peak_u8(rounds, &sink)
            seconds = clock.seconds_now() - start
            best = max(best, done / seconds)
    return best / 1e9


def has_openmp():
    """Return whether this build can compute with several threads."""
    return openmp.HAS_OPENMP


def max_threads():
    """Return the number of threads that OpenMP would use."""
    return openmp.omp_get_max_threads()


def release_threads():
    """Let the OpenMP threads that wait for the calling thread end; its next parallel call starts new ones.

    Return whether they do: with musl they cannot.
    """
    cdef bint ended
    with nogil:
        ended = openmp.release_team()
    return ended


def count_threads(int threads):
    """Return how many threads OpenMP really gives when asked for a number of them."""
    cdef int i, seen = 0
    for i in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        seen += 1
    return seen


def lanes():
    """Return the number of images in a group: floats in a vector register of the active instruction set."""
    return _csrc.cnnfast_active().lanes


def near_cache():
    """Return how many bytes the second-level cache of a core has."""
    return _csrc.cnnfast_near_cache()


def tile_channels():
    """Return the most output channels of a register tile: of convolution, of a dense layer, and by Winograd of
    5x5 kernels and of a single tile.

    Weights are packed in as many blocks of channels as it takes, of sizes that differ by at most one.
    """
    isa = _csrc.cnnfast_active()
    return isa.tile_oc, isa.dense_oc, isa.large_oc, isa.single_oc


def turned_channels():
    """Return the output channels of a turned tile of a dense layer, or 0 if the active instruction set has none."""
    return _csrc.cnnfast_active().turned_oc


def tile_vectors():
    """Return the most vectors of output channels of a register tile, with channels in the lanes.

    Of several positions, of a single one, and of fewer than four Winograd tiles; blocks are as for `tile_channels`.
    """
    return _csrc.cnnfast_active().tile_vectors, _csrc.DENSE_VECTORS, _csrc.FEW_TILES_VECTORS
