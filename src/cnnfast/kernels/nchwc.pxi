# The layer loops for one image with channels in the lanes, layout nchw<L>c. A vector is one pixel of L channels, so a
# "channel" of a loop that treats vectors alike is a block of L: pools, activations, sums and copies are those of
# kernels/chwn.pxi. Here is what reads single channels. Its innermost tiles are in csrc/nchwc/.


cdef enum:
    FEW_POSITIONS = 64                     # up to so many, threads divide a layer by output channels
    FEW_TILES = 16
    POSITIONS_PER_CHECK = 4096            # positions between two looks at signals, a multiple of every tile


cdef inline Py_ssize_t vectors_of(Py_ssize_t channels, Py_ssize_t lanes) noexcept nogil:
    # how many vectors hold so many channels
    return (channels + lanes - 1) // lanes


cdef inline Py_ssize_t share_of(Py_ssize_t count, Py_ssize_t part, Py_ssize_t parts, Py_ssize_t unit) noexcept nogil:
    # where the share of a thread starts, in whole units, when a step is divided
    return min(count, (count * part // parts + unit - 1) // unit * unit)


cdef void conv2d_f32_nchwc_direct_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                       Py_ssize_t parts) noexcept nogil:
    # All positions go through a block of output channels before the next one, so that each weight is read once. Threads
    # divide the blocks where there are few positions, else the positions.
    cdef Py_ssize_t K = s.g[0], OC = s.g[1], y_channel = s.g[2], act = s.g[5], r_channel = s.g[6], most = s.g[7]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most), block, first
    cdef Py_ssize_t positions = s.g[3], pool = s.g[4], start = 0, stop = positions, from_block = 0, to_block = blocks
    cdef Py_ssize_t at
    cdef _csrc.pixel_args run
    if blocks >= parts and positions <= FEW_POSITIONS:
        from_block, to_block = share_of(blocks, part, parts, 1), share_of(blocks, part + 1, parts, 1)
    else:
        start, stop = share_of(positions, part, parts, 8), share_of(positions, part + 1, parts, 8)
    run.x = operand(s, 0, arena)
    run.tap_offsets, run.K, run.y_channel, run.pool = s.t[0], K, y_channel, <int>pool
    run.end = ending(s, arena, act, r_channel, NULL)
    for block in range(from_block, to_block):
        first = block_start(block, blocks, vectors)
        run.vectors = block_start(block + 1, blocks, vectors) - first
        run.w = s.p[0] + first * K * L
        run.bias = s.p[1] + first * L
        run.y = arena + s.dst + first * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + first * r_channel * L
        at = start
        while at < stop and not must_stop():
            run.x_offsets, run.positions = s.t[1] + at, min(stop - at, <Py_ssize_t>POSITIONS_PER_CHECK)
            run.y_offsets = s.t[2] + (at // 4 if pool else at)
            run.end.r_offsets = s.t[3] + at if s.t[3] != NULL else NULL
            isa.conv_f32_nchwc(&run)
            at += POSITIONS_PER_CHECK


cdef void conv2d_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    conv2d_f32_nchwc_direct_part(s, arena, arena, 0, 1)


cdef inline void grouped(const Step* s, float* arena, Py_ssize_t tap_lanes, _csrc.grouped_t kernel,
                         Py_ssize_t part, Py_ssize_t parts) noexcept nogil:
    # one vector of output channels after the other; tap_lanes: offsets of a tap, or 0 where all vectors share a table
    cdef Py_ssize_t C = s.g[0], K = s.g[1], x_channel = s.g[2], y_channel = s.g[3], r_channel = s.g[7], c
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.grouped_args run
    run.K, run.x_offsets, run.y_offsets, run.positions, run.pool = K, s.t[1], s.t[2], s.g[4], <int>s.g[5]
    run.end = ending(s, arena, s.g[6], r_channel, s.t[3])
    for c in range(share_of(vectors_of(C, L), part, parts, 1), share_of(vectors_of(C, L), part + 1, parts, 1)):
        run.x = operand(s, 0, arena) + c * x_channel * L
        run.tap_offsets = s.t[0] + c * K * tap_lanes
        run.w = s.p[0] + c * K * L
        run.bias = s.p[1] + c * L
        run.y = arena + s.dst + c * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + c * r_channel * L
        if must_stop():
            return
        kernel(&run)


cdef void conv2d_f32_nchwc_depthwise_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                          Py_ssize_t parts) noexcept nogil:
    grouped(s, arena, 0, _csrc.cnnfast_active().depthwise_f32_nchwc, part, parts)


cdef void conv2d_f32_nchwc_depthwise(const Step* s, float* arena) noexcept nogil:
    conv2d_f32_nchwc_depthwise_part(s, arena, arena, 0, 1)


cdef void conv2d_f32_nchwc_grouped_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                        Py_ssize_t parts) noexcept nogil:
    grouped(s, arena, _csrc.cnnfast_active().lanes, _csrc.cnnfast_active().grouped_f32_nchwc, part, parts)


cdef void conv2d_f32_nchwc_grouped(const Step* s, float* arena) noexcept nogil:
    conv2d_f32_nchwc_grouped_part(s, arena, arena, 0, 1)


cdef inline void winograd_nchwc(const Step* s, float* arena, float* own, int E, _csrc.winograd_t transform,
                                   _csrc.winograd_t finish, Py_ssize_t part, Py_ssize_t parts) noexcept nogil:
    # A run of tiles at a time: all inputs transformed, all products of each element, all outputs. Threads divide the
    # blocks of output channels where there are few tiles, else the tiles; each has a workspace in an arena of its own.
    cdef Py_ssize_t C = s.g[0], OC = s.g[1], y_channel = s.g[4], tiles = s.g[6], r_channel = s.g[9], most = s.g[11]
    cdef Py_ssize_t at_once = s.g[12]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most)
    cdef Py_ssize_t tile = 0, last_tile = tiles, from_block = 0, to_block = blocks
    cdef Py_ssize_t e, block, first, begin, T, v_plane, m_plane
    cdef float* v = own + s.workspace
    cdef float* m
    cdef _csrc.winograd_args run
    cdef _csrc.products_args products
    if blocks >= parts and tiles <= FEW_TILES:
        from_block, to_block = share_of(blocks, part, parts, 1), share_of(blocks, part + 1, parts, 1)
    else:
        tile, last_tile = share_of(tiles, part, parts, 1), share_of(tiles, part + 1, parts, 1)
    begin = block_start(from_block, blocks, vectors)
    run.C, run.x_channel, run.x_row = C, s.g[2], s.g[3]
    run.channels = block_start(to_block, blocks, vectors) - begin
    run.x = operand(s, 0, arena)
    run.y = arena + s.dst + begin * y_channel * L
    run.y_channel, run.y_row, run.r_row, run.pool = y_channel, s.g[5], s.g[10], <int>s.g[7]
    run.end = ending(s, arena, s.g[8], r_channel, NULL)
    if run.end.r != NULL:
        run.end.r = operand(s, 1, arena) + begin * r_channel * L
    products.C = C
    while tile < last_tile and not must_stop():
        T = min(at_once, last_tile - tile)
        v_plane = (vectors_of(C, L) * T + 1) * L
        m_plane = (run.channels * T + 1) * L
        m = v + E * v_plane
        run.T = products.T = T
        run.x_offsets = s.t[0] + tile
        run.y_offsets = s.t[1] + tile
        run.rows = s.t[2] + tile
        run.cols = s.t[3] + tile
        run.end.r_offsets = s.t[4] + tile if s.t[4] != NULL else NULL
        run.v = v
        transform(&run)
        for e in range(E):
            products.v = v + e * v_plane
            for block in range(from_block, to_block):
                first = block_start(block, blocks, vectors)
                products.vectors = block_start(block + 1, blocks, vectors) - first
                products.u = s.p[0] + (e * vectors + first) * C * L
                products.first = s.p[1] + first * L if e == (7 if E == 36 else 9) else NULL
                products.m = m + e * m_plane + (first - begin) * T * L
                isa.winograd_f32_products_nchwc(&products)
        run.v = m
        finish(&run)
        tile += T


cdef void conv2d_f32_nchwc_winograd4x3_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                            Py_ssize_t parts) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_nchwc(s, arena, own, 36, isa.winograd_f32_f4x3_input_nchwc, isa.winograd_f32_f4x3_output_nchwc,
                      part, parts)


cdef void conv2d_f32_nchwc_winograd4x3(const Step* s, float* arena) noexcept nogil:
    conv2d_f32_nchwc_winograd4x3_part(s, arena, arena, 0, 1)


cdef void conv2d_f32_nchwc_winograd4x5_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                            Py_ssize_t parts) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_nchwc(s, arena, own, 64, isa.winograd_f32_f4x5_input_nchwc, isa.winograd_f32_f4x5_output_nchwc,
                      part, parts)


cdef void conv2d_f32_nchwc_winograd4x5(const Step* s, float* arena) noexcept nogil:
    conv2d_f32_nchwc_winograd4x5_part(s, arena, arena, 0, 1)


cdef void dense_f32_nchwc_direct_part(const Step* s, float* arena, float* own, Py_ssize_t part,
                                      Py_ssize_t parts) noexcept nogil:
    cdef Py_ssize_t K = s.g[0], O = s.g[1], y_channel = s.g[2], r_channel = s.g[4], most = s.g[5]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(O, L), blocks = blocks_of(vectors, most), block, first
    cdef int origin = 0
    cdef _csrc.pixel_args run
    run.x = operand(s, 0, arena)
    run.tap_offsets, run.K, run.x_offsets, run.y_offsets, run.positions = s.t[0], K, &origin, &origin, 1
    run.y_channel, run.pool = y_channel, 0
    run.end = ending(s, arena, s.g[3], r_channel, &origin)
    for block in range(share_of(blocks, part, parts, 1), share_of(blocks, part + 1, parts, 1)):
        first = block_start(block, blocks, vectors)
        run.vectors = block_start(block + 1, blocks, vectors) - first
        run.w = s.p[0] + first * K * L
        run.bias = s.p[1] + first * L
        run.y = arena + s.dst + first * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + first * r_channel * L
        isa.conv_f32_nchwc(&run)


cdef void dense_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    dense_f32_nchwc_direct_part(s, arena, arena, 0, 1)


cdef void affine_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.affine_f32_nchwc(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L,
                                    s.p[0] + c * L, s.p[1] + c * L)


cdef void prelu_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.leaky_f32_nchwc(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L, s.p[0] + c * L)


cdef inline void softmax_nchwc(const Step* s, float* arena, int take_log) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for i in range(H):
        for j in range(W):
            isa.softmax_f32_nchwc(C, x + (i * xr + j) * L, xc, arena + s.dst + (i * yr + j) * L, yc, take_log)


cdef void softmax_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    softmax_nchwc(s, arena, 0)


cdef void log_softmax_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    softmax_nchwc(s, arena, 1)


cdef void lrn_f32_nchwc_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6]
    cdef Py_ssize_t size = s.g[7], c, i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            for j in range(W):
                isa.lrn_f32_nchwc(C, c, x + (i * xr + j) * L, xc, arena + s.dst + (c * yc + i * yr + j) * L,
                                     (size - 1) // 2, size // 2, s.f[0] / size, s.f[1], s.f[2])


cdef void copy_f32_nchwc_elements(const Step* s, float* arena) noexcept nogil:
    # one number at a time, from any place to any other: for what moves channels
    _csrc.cnnfast_active().copy_f32_elements(s.g[0], operand(s, 0, arena), s.t[0], arena + s.dst, s.t[1])


# The kernels whose work several threads can share: (step, arena, arena of the thread, part, parts).
cdef dict _PARTS = {
    "conv2d_f32_nchwc_direct": <size_t>conv2d_f32_nchwc_direct_part,
    "conv2d_f32_nchwc_depthwise": <size_t>conv2d_f32_nchwc_depthwise_part,
    "conv2d_f32_nchwc_grouped": <size_t>conv2d_f32_nchwc_grouped_part,
    "conv2d_f32_nchwc_winograd4x3": <size_t>conv2d_f32_nchwc_winograd4x3_part,
    "conv2d_f32_nchwc_winograd4x5": <size_t>conv2d_f32_nchwc_winograd4x5_part,
    "dense_f32_nchwc_direct": <size_t>dense_f32_nchwc_direct_part,
}
