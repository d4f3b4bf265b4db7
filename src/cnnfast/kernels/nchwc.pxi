# The layer loops for one image with channels in the lanes, layout nchw<L>c. A vector is one pixel of L channels, so a
# "channel" of a loop that treats vectors alike is a block of L: pools, activations, sums and copies are those of
# kernels/chwn.pxi. Here is what reads single channels. Its innermost tiles are in csrc/nchwc/.


cdef enum:
    POSITIONS_PER_CHECK = 4096            # positions between two looks at signals, a multiple of every tile


cdef inline Py_ssize_t vectors_of(Py_ssize_t channels, Py_ssize_t lanes) noexcept nogil:
    # how many vectors hold that many channels
    return (channels + lanes - 1) // lanes


cdef void conv2d_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    # all positions go through a block of output channels before the next one, so that each weight is read once
    cdef const DirectNchwc* g = <const DirectNchwc*>s.geometry
    cdef Py_ssize_t K = g.K, OC = g.OC, y_channel = g.y_c, r_channel = g.r_c, most = g.vectors
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most), block, first
    cdef Py_ssize_t pool = g.pool, at
    cdef Share share = share_of_layer(ctx, blocks, g.positions)
    cdef _csrc.pixel_args args
    args.x = operand(s, 0, ctx)
    args.tap_offsets, args.K, args.y_channel, args.pool, args.ahead = s.t[0], K, y_channel, <int>pool, ahead_of(K * OC)
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, NULL)
    for block in range(share.first, share.last):
        first = block_start(block, blocks, vectors)
        args.vectors = block_start(block + 1, blocks, vectors) - first
        args.w = s.p[0] + first * K * L
        args.bias = s.p[1] + first * L
        args.y = result(s, ctx) + first * y_channel * L
        if args.end.r != NULL:
            args.end.r = operand(s, 1, ctx) + first * r_channel * L
        at = share.start
        while at < share.stop and not must_stop():
            args.x_offsets, args.positions = s.t[1] + at, min(share.stop - at, <Py_ssize_t>POSITIONS_PER_CHECK)
            args.y_offsets = s.t[2] + (at // 4 if pool else at)
            args.end.r_offsets = s.t[3] + at if s.t[3] != NULL else NULL
            isa.conv_f32_nchwc(&args)
            at += POSITIONS_PER_CHECK


cdef inline void grouped(const Step* s, const Context* ctx, Py_ssize_t tap_lanes,
                         _csrc.grouped_t kernel) noexcept nogil:
    # One vector of output channels after the other; tap_lanes: offsets of a tap, or 0 where all vectors share a table.
    # Threads divide what they divide in the layers before and behind.
    cdef const Grouped* g = <const Grouped*>s.geometry
    cdef Py_ssize_t C = g.C, K = g.K, x_channel = g.x_c, y_channel = g.y_c, r_channel = g.r_c, c
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef Share share = share_of_layer(ctx, vectors_of(C, L), g.positions)
    cdef _csrc.grouped_args args
    args.K, args.positions, args.pool = K, share.stop - share.start, <int>g.pool
    args.x_offsets = s.t[1] + share.start
    args.y_offsets = s.t[2] + (share.start // 4 if g.pool else share.start)
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, s.t[3] + share.start if s.t[3] != NULL else NULL)
    for c in range(share.first, share.last):
        args.x = operand(s, 0, ctx) + c * x_channel * L
        args.tap_offsets = s.t[0] + c * K * tap_lanes
        args.w = s.p[0] + c * K * L
        args.bias = s.p[1] + c * L
        args.y = result(s, ctx) + c * y_channel * L
        if args.end.r != NULL:
            args.end.r = operand(s, 1, ctx) + c * r_channel * L
        if must_stop():
            return
        kernel(&args)


cdef void conv2d_f32_nchwc_depthwise(const Step* s, const Context* ctx) noexcept nogil:
    grouped(s, ctx, 0, ctx.isa.depthwise_f32_nchwc)


cdef void conv2d_f32_nchwc_grouped(const Step* s, const Context* ctx) noexcept nogil:
    grouped(s, ctx, ctx.isa.lanes, ctx.isa.grouped_f32_nchwc)


cdef inline void winograd_nchwc(const Step* s, const Context* ctx, int E, _csrc.winograd_t transform,
                                _csrc.winograd_t finish) noexcept nogil:
    # A run of tiles at a time: all inputs transformed, all products of each element, all outputs. Threads divide the
    # blocks of output channels where there are few tiles, else the tiles; each has a workspace in its own arena.
    cdef const WinogradNchwc* g = <const WinogradNchwc*>s.geometry
    cdef Py_ssize_t C = g.C, OC = g.OC, y_channel = g.y_c, tiles = g.tiles, r_channel = g.r_c, most = g.vectors
    cdef Py_ssize_t at_once = g.at_once
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(OC, L), blocks = blocks_of(vectors, most)
    cdef Share share = share_of_tiles(ctx, blocks, tiles)
    cdef Py_ssize_t tile = share.start
    cdef Py_ssize_t e, block, first, begin, T, v_plane, m_plane
    cdef float* v = workspace(s, ctx)
    cdef float* m
    cdef _csrc.winograd_args args
    cdef _csrc.products_args products
    begin = block_start(share.first, blocks, vectors)
    args.C, args.x_channel, args.x_row = C, g.x_c, g.x_r
    args.channels = block_start(share.last, blocks, vectors) - begin
    args.x, args.bias = operand(s, 0, ctx), s.p[1] + begin * L
    args.y = result(s, ctx) + begin * y_channel * L
    args.y_channel, args.y_row, args.r_row, args.pool = y_channel, g.y_r, g.r_r, <int>g.pool
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, NULL)
    if args.end.r != NULL:
        args.end.r = operand(s, 1, ctx) + begin * r_channel * L
    args.ahead = 0
    products.C, products.ahead = C, ahead_of(E * C * OC)
    while tile < share.stop and not must_stop():
        T = min(at_once, share.stop - tile)
        v_plane = (vectors_of(C, L) * T + 1) * L
        m_plane = (args.channels * T + 1) * L
        m = v + E * v_plane
        args.T = products.T = T
        args.x_offsets = s.t[0] + tile
        args.y_offsets = s.t[1] + tile
        args.rows = s.t[2] + tile
        args.cols = s.t[3] + tile
        args.end.r_offsets = s.t[4] + tile if s.t[4] != NULL else NULL
        args.v = v
        transform(&args)
        for e in range(E):
            products.v = v + e * v_plane
            for block in range(share.first, share.last):
                first = block_start(block, blocks, vectors)
                products.vectors = block_start(block + 1, blocks, vectors) - first
                products.u = s.p[0] + (e * vectors + first) * C * L
                products.first = s.p[1] + first * L if E == 64 and e == 9 else NULL
                products.m = m + e * m_plane + (first - begin) * T * L
                isa.winograd_f32_products_nchwc(&products)
        args.v = m
        finish(&args)
        tile += T


cdef void conv2d_f32_nchwc_winograd4x3(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    winograd_nchwc(s, ctx, 36, isa.winograd_f32_f4x3_input_nchwc, isa.winograd_f32_f4x3_output_nchwc)


cdef void conv2d_f32_nchwc_winograd4x5(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    winograd_nchwc(s, ctx, 64, isa.winograd_f32_f4x5_input_nchwc, isa.winograd_f32_f4x5_output_nchwc)


cdef void dense_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const DenseNchwc* g = <const DenseNchwc*>s.geometry
    cdef Py_ssize_t K = g.K, O = g.O, y_channel = g.y_c, r_channel = g.r_c, most = g.vectors
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes, vectors = vectors_of(O, L), blocks = blocks_of(vectors, most), block, first
    cdef int origin = 0
    cdef _csrc.pixel_args args
    args.x = operand(s, 0, ctx)
    args.tap_offsets, args.K, args.x_offsets, args.y_offsets, args.positions = s.t[0], K, &origin, &origin, 1
    args.y_channel, args.pool, args.ahead = y_channel, 0, ahead_of(K * O)
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, &origin)
    for block in range(first_of(ctx, blocks, 1), last_of(ctx, blocks, 1)):
        first = block_start(block, blocks, vectors)
        args.vectors = block_start(block + 1, blocks, vectors) - first
        args.w = s.p[0] + first * K * L
        args.bias = s.p[1] + first * L
        args.y = result(s, ctx) + first * y_channel * L
        if args.end.r != NULL:
            args.end.r = operand(s, 1, ctx) + first * r_channel * L
        isa.conv_f32_nchwc(&args)


cdef void affine_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Rows* g = <const Rows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.affine_f32_nchwc(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L,
                                 s.p[0] + c * L, s.p[1] + c * L)


cdef void prelu_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Rows* g = <const Rows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            isa.leaky_f32_nchwc(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L, s.p[0] + c * L)


cdef inline void softmax_nchwc(const Step* s, const Context* ctx, int take_log) noexcept nogil:
    cdef const Rows* g = <const Rows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, i, j
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for i in range(H):
        for j in range(W):
            isa.softmax_f32_nchwc(C, x + (i * xr + j) * L, xc, result(s, ctx) + (i * yr + j) * L, yc, take_log)


cdef void softmax_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    softmax_nchwc(s, ctx, 0)


cdef void log_softmax_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    softmax_nchwc(s, ctx, 1)


cdef void lrn_f32_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Lrn* g = <const Lrn*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r
    cdef Py_ssize_t size = g.size, c, i, j
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(vectors_of(C, L)):
        for i in range(H):
            for j in range(W):
                isa.lrn_f32_nchwc(C, c, x + (i * xr + j) * L, xc, result(s, ctx) + (c * yc + i * yr + j) * L,
                                  (size - 1) // 2, size // 2, g.alpha / size, g.beta, g.bias)


cdef void copy_f32_nchwc_elements(const Step* s, const Context* ctx) noexcept nogil:
    # one number at a time, from any place to any other: for what moves channels
    cdef const Count* g = <const Count*>s.geometry
    ctx.isa.copy_f32_elements(g.count, operand(s, 0, ctx), s.t[0], result(s, ctx), s.t[1])
