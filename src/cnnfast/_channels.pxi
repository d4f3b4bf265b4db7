# The layer loops for one image with channels in the lanes, layout nchw<L>c. A vector is one pixel of L channels, so a
# "channel" of a loop that treats vectors alike is a block of L: pools, activations, sums and copies are those of
# _lanes.pxi. Here is what reads single channels. Its innermost tiles are in csrc/channels_*.inc.


cdef inline Py_ssize_t vectors_of(Py_ssize_t channels, Py_ssize_t lanes) noexcept nogil:
    # how many vectors hold so many channels
    return (channels + lanes - 1) // lanes


cdef void conv2d_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    # All positions go through a block of output channels before the next one, so that each weight is read once.
    cdef Py_ssize_t K = s.g[0], OC = s.g[1], y_channel = s.g[2], act = s.g[5], r_channel = s.g[6], most = s.g[7]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most), block, first
    cdef _csrc.pixel_run run
    run.x = operand(s, 0, arena)
    run.taps, run.K, run.xpos, run.ypos, run.positions = s.t[0], K, s.t[1], s.t[2], s.g[3]
    run.y_channel, run.pool = y_channel, <int>s.g[4]
    run.end = ending(s, arena, act, r_channel, s.t[3])
    for block in range(blocks):
        first = block_start(block, blocks, vectors)
        run.vectors = block_start(block + 1, blocks, vectors) - first
        run.w = s.p[0] + first * K * L
        run.bias = s.p[1] + first * L
        run.y = arena + s.dst + first * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + first * r_channel * L
        isa.conv_f32_channels(&run)


cdef inline void grouped(const Step* s, float* arena, Py_ssize_t lane_taps, _csrc.grouped_t kernel) noexcept nogil:
    # one vector of output channels after the other; lane_taps tells how many tables of K taps each has of its own
    cdef Py_ssize_t C = s.g[0], K = s.g[1], x_channel = s.g[2], y_channel = s.g[3], r_channel = s.g[7], c
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.grouped_run run
    run.K, run.xpos, run.ypos, run.positions, run.pool = K, s.t[1], s.t[2], s.g[4], <int>s.g[5]
    run.end = ending(s, arena, s.g[6], r_channel, s.t[3])
    for c in range(vectors_of(C, L)):
        run.x = operand(s, 0, arena) + c * x_channel * L
        run.taps = s.t[0] + c * K * lane_taps
        run.w = s.p[0] + c * K * L
        run.bias = s.p[1] + c * L
        run.y = arena + s.dst + c * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + c * r_channel * L
        kernel(&run)


cdef void conv2d_f32_nchwc_depthwise(const Step* s, float* arena) noexcept nogil:
    grouped(s, arena, 0, _csrc.cnnfast_active().depthwise_f32_channels)


cdef void conv2d_f32_nchwc_grouped(const Step* s, float* arena) noexcept nogil:
    grouped(s, arena, _csrc.cnnfast_active().lanes, _csrc.cnnfast_active().grouped_f32_channels)


cdef inline void winograd_channels(const Step* s, float* arena, int E, _csrc.winograd_t transform,
                                   _csrc.winograd_t finish) noexcept nogil:
    # A run of tiles at a time: all inputs transformed, all products of each element, all outputs.
    cdef Py_ssize_t C = s.g[0], OC = s.g[1], tiles = s.g[6], most = s.g[11], at_once = s.g[12]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most)
    cdef Py_ssize_t tile = 0, e, block, first, T, v_plane, m_plane
    cdef float* v = arena + s.workspace
    cdef float* m
    cdef _csrc.winograd_run run
    cdef _csrc.products_run products
    run.C, run.x_channel, run.x_row, run.channels = C, s.g[2], s.g[3], vectors
    run.x = operand(s, 0, arena)
    run.y = arena + s.dst
    run.y_channel, run.y_row, run.r_row, run.pool = s.g[4], s.g[5], s.g[10], <int>s.g[7]
    run.end = ending(s, arena, s.g[8], s.g[9], NULL)
    products.C = C
    while tile < tiles:
        T = min(at_once, tiles - tile)
        v_plane = (vectors_of(C, L) * T + 1) * L
        m_plane = (vectors * T + 1) * L
        m = v + E * v_plane
        run.T = products.T = T
        run.xpos = s.t[0] + tile
        run.ypos = s.t[1] + tile
        run.rows = s.t[2] + tile
        run.cols = s.t[3] + tile
        run.end.rpos = s.t[4] + tile if s.t[4] != NULL else NULL
        run.v = v
        transform(&run)
        for e in range(E):
            products.v = v + e * v_plane
            for block in range(blocks):
                first = block_start(block, blocks, vectors)
                products.vectors = block_start(block + 1, blocks, vectors) - first
                products.u = s.p[0] + (e * vectors + first) * C * L
                products.first = s.p[1] + first * L if e == (7 if E == 36 else 9) else NULL
                products.m = m + e * m_plane + first * T * L
                isa.winograd_f32_channels_products(&products)
        run.v = m
        finish(&run)
        tile += T


cdef void conv2d_f32_nchwc_winograd4x3(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_channels(s, arena, 36, isa.winograd_f32_f4x3_channels_input, isa.winograd_f32_f4x3_channels_output)


cdef void conv2d_f32_nchwc_winograd4x5(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_channels(s, arena, 64, isa.winograd_f32_f4x5_channels_input, isa.winograd_f32_f4x5_channels_output)


cdef void dense_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t K = s.g[0], O = s.g[1], y_channel = s.g[2], r_channel = s.g[4], most = s.g[5]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(O, L), blocks = blocks_of(vectors, most), block, first
    cdef int origin = 0
    cdef _csrc.pixel_run run
    run.x = operand(s, 0, arena)
    run.taps, run.K, run.xpos, run.ypos, run.positions = s.t[0], K, &origin, &origin, 1
    run.y_channel, run.pool = y_channel, 0
    run.end = ending(s, arena, s.g[3], r_channel, &origin)
    for block in range(blocks):
        first = block_start(block, blocks, vectors)
        run.vectors = block_start(block + 1, blocks, vectors) - first
        run.w = s.p[0] + first * K * L
        run.bias = s.p[1] + first * L
        run.y = arena + s.dst + first * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + first * r_channel * L
        isa.conv_f32_channels(&run)


cdef void affine_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.affine_f32_channels(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L,
                                    s.p[0] + c * L, s.p[1] + c * L)


cdef void prelu_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.leaky_f32_channels(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L, s.p[0] + c * L)


cdef inline void softmax_channels(const Step* s, float* arena, int take_log) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for i in range(H):
        for j in range(W):
            isa.softmax_f32_channels(C, x + (i * xr + j) * L, xc, arena + s.dst + (i * yr + j) * L, yc, take_log)


cdef void softmax_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    softmax_channels(s, arena, 0)


cdef void log_softmax_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    softmax_channels(s, arena, 1)


cdef void lrn_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6]
    cdef Py_ssize_t size = s.g[7], c, i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            for j in range(W):
                isa.lrn_f32_channels(C, c, x + (i * xr + j) * L, xc, arena + s.dst + (c * yc + i * yr + j) * L,
                                     (size - 1) // 2, size // 2, s.f[0] / size, s.f[1], s.f[2])


cdef void copy_f32_nchwc_elements(const Step* s, float* arena) noexcept nogil:
    # one number at a time, from any place to any other: for what moves channels
    _csrc.cnnfast_active().copy_f32_elements(s.g[0], operand(s, 0, arena), s.t[0], arena + s.dst, s.t[1])
