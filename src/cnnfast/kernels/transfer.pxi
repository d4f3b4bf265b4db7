# Images into the arena and results out of it, in each layout; and what NumPy arrays those are.

cdef enum:
    MAX_LANES = 16
    MAX_ENDS = 8


cdef struct Source:
    # where the pixels of one graph input are, and where they go
    const char* data
    Py_ssize_t[4] stride                   # bytes from one image, channel, row, column to the next
    bint is_bytes                          # uint8 pixels, else float32 values
    Py_ssize_t C
    Py_ssize_t H
    Py_ssize_t W
    float* factor                          # (C,): a pixel becomes byte * factor + shift
    float* shift
    Py_ssize_t dst
    Py_ssize_t channel                     # elements from one channel or row to the next in the arena
    Py_ssize_t row


cdef struct Sink:
    float* data                            # (N, count)
    Py_ssize_t count
    Py_ssize_t src


cdef struct ImageBatch:
    # images and results of a call
    Source[MAX_ENDS] sources
    int n_sources
    Sink[MAX_ENDS] sinks
    int n_sinks
    Py_ssize_t N


cdef void skip_images(ImageBatch* batch, Py_ssize_t count) noexcept nogil:
    # what is left behind the first ones
    cdef int i
    for i in range(batch.n_sources):
        batch.sources[i].data += count * batch.sources[i].stride[0]
    for i in range(batch.n_sinks):
        batch.sinks[i].data += count * batch.sinks[i].count
    batch.N -= count


cdef float _unit = 1                       # no constant: the compiler would leave the product out


cdef void load_nchw(const Source* source, Py_ssize_t n, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, j
    cdef const char* row
    cdef float* y
    for c in range(source.C):
        for i in range(source.H):
            row = source.data + n * source.stride[0] + c * source.stride[1] + i * source.stride[2]
            y = arena + source.dst + c * source.channel + i * source.row
            for j in range(source.W):
                if source.is_bytes:
                    y[j] = (<const unsigned char*>row)[0] * source.factor[c] + source.shift[c]
                else:
                    y[j] = (<const float*>row)[0] * _unit  # flushes denormals, so that no value is one
                row += source.stride[3]


cdef void store_nchw(const Sink* sink, Py_ssize_t n, const float* arena) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(sink.count):
        sink.data[n * sink.count + i] = arena[sink.src + i]


cdef void load_chwn(const _csrc.cnnfast_kernels* isa, const Source* source, Py_ssize_t first, Py_ssize_t N,
                    float* arena) noexcept nogil:
    # lanes beyond the last image repeat it: their results are not stored
    cdef Py_ssize_t c, i, l, L = isa.lanes, H = source.H, W = source.W
    cdef const char* images[MAX_LANES]
    cdef const char* rows[MAX_LANES]
    cdef float* y
    for l in range(L):
        images[l] = source.data + min(first + l, N - 1) * source.stride[0]
    if source.is_bytes and source.C == 3 and source.stride[1] == 1 and source.stride[3] == 3:
        for i in range(source.H):
            for l in range(L):
                rows[l] = images[l] + i * source.stride[2]
            isa.load_rgb_u8(source.W, <const unsigned char**>rows, arena + source.dst + i * source.row * L,
                            source.channel, source.factor, source.shift)
        return
    if source.row == W and source.stride[2] == W * source.stride[3]:
        # rows that follow each other on both sides are one long row
        W = H * W
        H = 1
    for c in range(source.C):
        for i in range(H):
            for l in range(L):
                rows[l] = images[l] + c * source.stride[1] + i * source.stride[2]
            y = arena + source.dst + (c * source.channel + i * source.row) * L
            if source.is_bytes:
                isa.load_u8(W, <const unsigned char**>rows, source.stride[3], y, source.factor[c],
                            source.shift[c])
            else:
                isa.load_f32(W, rows, source.stride[3], y)


cdef void store_chwn(const _csrc.cnnfast_kernels* isa, const Sink* sink, Py_ssize_t first, Py_ssize_t N,
                     const float* arena) noexcept nogil:
    cdef Py_ssize_t l, images = min(<Py_ssize_t>isa.lanes, N - first)
    cdef float* rows[MAX_LANES]
    for l in range(images):
        rows[l] = sink.data + (first + l) * sink.count
    isa.store_f32(sink.count, arena + sink.src, rows, images)


cdef void load_nchwc(const _csrc.cnnfast_kernels* isa, const Source* source, Py_ssize_t n,
                     float* arena) noexcept nogil:
    # L channels at a time; lanes beyond the last channel become 0
    cdef Py_ssize_t c, i, channels, readable, L = isa.lanes, H = source.H, W = source.W
    cdef const char* image = source.data + n * source.stride[0]
    cdef const char* row
    cdef float* y
    if source.row == W and source.stride[2] == W * source.stride[3]:
        # rows that follow each other on both sides are one long row
        W = H * W
        H = 1
    for c in range(vectors_of(source.C, L)):
        channels = min(L, source.C - c * L)
        for i in range(H):
            row = image + c * L * source.stride[1] + i * source.stride[2]
            y = arena + source.dst + (c * source.channel + i * source.row) * L
            if source.is_bytes:
                readable = (W - 1) * source.stride[3] + channels
                if source.stride[2] > 0:
                    readable += (H - 1 - i) * source.stride[2]
                isa.load_u8_nchwc(W, <const unsigned char*>row, source.stride[3], channels, source.stride[1],
                                  readable, y, source.factor + c * L, source.shift + c * L)
            else:
                isa.load_f32_nchwc(W, row, source.stride[3], channels, source.stride[1], y)


cdef _place_source(Source* source, spot, Py_ssize_t lanes):
    _, place, source.channel, source.row = spot
    source.dst = place * lanes


cdef _bind_source(Source* source, array, spot, pixels, Py_ssize_t N, Py_ssize_t lanes):
    cdef const unsigned char[:, :, :, :] as_bytes
    cdef const float[:, :, :, :] as_floats
    cdef const float[::1] factor, shift
    source.C, source.H, source.W = C, H, W = spot[0]
    _place_source(source, spot, lanes)
    if tuple(array.shape) != (N, C, H, W):
        raise ValueError(f"images of shape {tuple(array.shape)} do not fit ({N}, {C}, {H}, {W})")
    source.is_bytes = array.dtype == "uint8"
    if source.is_bytes:
        factor, shift = pixels
        if factor.shape[0] != C or shift.shape[0] != C:
            raise ValueError(f"factor and shift must have {C} elements")
        source.factor, source.shift = <float*>&factor[0], <float*>&shift[0]
        as_bytes = array
        source.data = <const char*>&as_bytes[0, 0, 0, 0]
    else:
        as_floats = array
        source.data = <const char*>&as_floats[0, 0, 0, 0]
    strides = array.strides
    for i in range(4):
        source.stride[i] = strides[i]


cdef _bind_sink(Sink* sink, array, spot, Py_ssize_t N, Py_ssize_t lanes):
    cdef float[:, ::1] values = array
    sink.count, place = spot
    sink.src = place * lanes
    if values.shape[0] != N or values.shape[1] != sink.count:
        raise ValueError(f"a result of shape {tuple(array.shape)} does not fit ({N}, {sink.count})")
    sink.data = &values[0, 0]
