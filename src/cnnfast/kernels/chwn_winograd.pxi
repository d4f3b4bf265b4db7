# The layer loops of convolutions by Winograd for images in the lanes; see chwn.pxi.


cdef struct WinogradTiles:
    # the micro-kernels of one size of the kernel, and the side of its tiles
    _csrc.winograd_t spread, finish
    _csrc.winograd_column_t column
    _csrc.winograd_rows_t rows
    int N


cdef inline void winograd_chwn(const Step* s, const Context* ctx, const WinogradTiles* tiles) noexcept nogil:
    # Four tiles at a time: inputs transformed, then all blocks of output channels. Where the transformed inputs would
    # not stay in the cache, blocks take turns at each column of them.
    cdef const Winograd* g = <const Winograd*>s.geometry
    cdef Py_ssize_t C = g.C, OC = g.OC, r_channel = g.r_c, E = tiles.N * tiles.N, T = 1 if g.tiles == 1 else 4
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t most = isa.tile_oc if tiles.N == 6 else isa.large_oc
    cdef Py_ssize_t blocks = blocks_of(OC, isa.single_oc if T == 1 else most), L = isa.lanes
    cdef Py_ssize_t step, tile, block, part, parts = tiles.N + 1 if g.by_columns else 1
    cdef Py_ssize_t ahead = ahead_of(E * C * OC)
    cdef float* half = workspace(s, ctx) + E * (C + 1) * T * L
    cdef _csrc.winograd_args args
    args.C, args.x_channel, args.x_row, args.T = C, g.x_c, g.x_r, T
    args.x = operand(s, 0, ctx)
    args.v = workspace(s, ctx)
    args.y_channel, args.y_row, args.r_row, args.pool = g.y_c, g.y_r, g.r_r, <int>g.pool
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, NULL)
    for step in range(g.tiles // T):
        if must_stop():
            return
        tile = step * T
        args.x_offsets = s.t[0] + tile
        args.y_offsets = s.t[1] + tile
        args.rows = s.t[2] + tile
        args.cols = s.t[3] + tile
        args.end.r_offsets = s.t[4] + tile if s.t[4] != NULL else NULL
        tiles.spread(&args)
        for part in range(parts):
            for block in range(blocks):
                at_block(&args, s, ctx, block, blocks, E)
                # the weights that are read next are those of the next block, or the next ones of this block
                args.ahead = E * C * args.channels if ahead and g.by_columns else ahead
                if not g.by_columns:
                    tiles.finish(&args)
                elif part < tiles.N:
                    tiles.column(&args, <int>part, half + halfway(block, blocks, OC, tiles.N, L), 0)
                else:
                    tiles.rows(&args, half + halfway(block, blocks, OC, tiles.N, L))


cdef inline Py_ssize_t halfway(Py_ssize_t block, Py_ssize_t blocks, Py_ssize_t OC, Py_ssize_t N,
                               Py_ssize_t L) noexcept nogil:
    # where a block of channels keeps what is halfway back: (channels, 4 tiles, 4, N) vectors
    return block_start(block, blocks, OC) * 4 * 4 * N * L


cdef inline void at_block(_csrc.winograd_args* args, const Step* s, const Context* ctx, Py_ssize_t block,
                          Py_ssize_t blocks, Py_ssize_t E) noexcept nogil:
    # the weights, bias, result and residual of a block of output channels
    cdef const Winograd* g = <const Winograd*>s.geometry
    cdef Py_ssize_t first = block_start(block, blocks, g.OC), L = ctx.isa.lanes
    args.channels = block_start(block + 1, blocks, g.OC) - first
    args.u = s.p[0] + first * E * g.C
    args.bias = s.p[1] + first
    args.y = result(s, ctx) + first * g.y_c * L
    if args.end.r != NULL:
        args.end.r = operand(s, 1, ctx) + first * g.r_c * L


cdef void conv2d_f32_chwn_winograd4x3(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef WinogradTiles tiles = WinogradTiles(
        isa.winograd_f32_f4x3_input, isa.winograd_f32_f4x3_output, isa.winograd_f32_f4x3_column,
        isa.winograd_f32_f4x3_rows, 6)
    winograd_chwn(s, ctx, &tiles)


cdef void conv2d_f32_chwn_winograd4x5(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef WinogradTiles tiles = WinogradTiles(
        isa.winograd_f32_f4x5_input, isa.winograd_f32_f4x5_output, isa.winograd_f32_f4x5_column,
        isa.winograd_f32_f4x5_rows, 8)
    winograd_chwn(s, ctx, &tiles)
