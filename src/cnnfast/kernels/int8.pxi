# The layer loops of integers with images in the lanes. Floats in chwn.pxi have a vector for each channel; bytes have a
# word for four channels: a vector whose lanes hold four channels of a pixel. Offsets and strides count such vectors.
# The formulas are those of docs/quantization.md; the innermost tiles are in csrc/int8/.


cdef inline int four_times(Py_ssize_t byte) noexcept nogil:
    return <int>(<unsigned int>byte * <unsigned int>0x01010101)


cdef inline const int* operand_words(const Step* s, int i, const Context* ctx) noexcept nogil:
    return <const int*>operand(s, i, ctx)


cdef inline int* result_words(const Step* s, const Context* ctx) noexcept nogil:
    return <int*>result(s, ctx)


cdef inline _csrc.int8_end int8_end_of(Py_ssize_t zero, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    # what follows a sum that nothing is added to
    cdef _csrc.int8_end end
    memset(&end, 0, sizeof(end))
    end.zero, end.low, end.high = zero, four_times(low), four_times(high)
    end.cut = zero != 0 or low > 0 or high < 255
    return end


cdef inline _csrc.int8_conv_args int8_layer(const Step* s, const Context* ctx) noexcept nogil:
    # the first block of channels of a layer, whatever its kind: the geometry of all of them begins alike
    cdef const Int8Dense* g = <const Int8Dense*>s.geometry
    cdef _csrc.int8_conv_args args
    memset(&args, 0, sizeof(args))
    args.K, args.y_block = g.K, g.y_c
    args.x, args.y = operand_words(s, 0, ctx), result_words(s, ctx)
    args.w, args.bias, args.sums = <const int*>s.p[1], <const int*>s.p[2], <const int*>s.p[3]
    args.tap_offsets, args.x_offsets, args.y_offsets = s.t[0], s.t[1], s.t[2]
    args.blocks, args.channels = 1, g.channels
    args.end = int8_end_of(g.zero, g.low, g.high)
    args.end.m, args.end.wide, args.end.to_float = s.p[0], <int>g.wide, <int>g.to_float
    args.end.shifted = <int>g.shifted
    args.end.r = operand_words(s, 1, ctx) if s.n_operands > 1 else NULL
    args.end.r_block, args.end.r_offsets, args.end.r_zero = g.r_c, s.t[3], <int>g.r_zero
    return args


cdef inline void next_blocks(_csrc.int8_conv_args* args, Py_ssize_t blocks, Py_ssize_t words,
                             Py_ssize_t L) noexcept nogil:
    # continue with the output channels after ``blocks`` blocks, each of ``words`` words of weights
    args.w += blocks * words
    args.bias += 4 * blocks
    args.sums += 4 * blocks
    args.end.m += 4 * blocks
    args.y += (4 if args.end.to_float else 1) * blocks * args.y_block * L
    args.channels -= 4 * blocks
    if args.end.r != NULL:
        args.end.r += blocks * args.end.r_block * L


cdef void conv2d_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # As conv2d_f32_chwn_direct: a block of positions goes through all output channels before the next one. With groups,
    # table 4 says where the input of each block of channels starts.
    cdef const Int8Direct* g = <const Int8Direct*>s.geometry
    cdef Py_ssize_t o, p = 0, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef _csrc.int8_conv_args args
    while p < g.positions and not must_stop():
        args = int8_layer(s, ctx)
        args.end.r_m, args.pool = g.r_m, <int>g.pool
        args.positions = min(g.block, g.positions - p)
        args.x_offsets += p
        args.y_offsets += p // 4 if args.pool else p
        if args.end.r_offsets != NULL:
            args.end.r_offsets += p
        for o in range(g.blocks):
            if s.t[4] != NULL:
                args.x = operand_words(s, 0, ctx) + s.t[4][o] * L
            isa.conv_u8_direct(&args)
            next_blocks(&args, 1, 4 * g.K, L)
        p += g.block


cdef void conv2d_u8_chwn_depthwise(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Depthwise* g = <const Int8Depthwise*>s.geometry
    cdef Py_ssize_t o, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef _csrc.int8_conv_args args = int8_layer(s, ctx)
    args.end.r_m, args.pool, args.positions = g.r_m, <int>g.pool, g.positions
    args.rows, args.columns = g.rows, g.columns
    for o in range(g.blocks):
        if must_stop():
            return
        isa.conv_u8_depthwise(&args)
        next_blocks(&args, 1, g.K, L)
        args.x += g.x_block * L


cdef void dense_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Dense* g = <const Int8Dense*>s.geometry
    cdef Py_ssize_t blocks = g.blocks
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef _csrc.int8_conv_args args = int8_layer(s, ctx)
    args.end.r_m = g.r_m
    while blocks > 0 and not must_stop():
        args.blocks = min(blocks, isa.dense_blocks)
        isa.dense_u8_direct(&args)
        next_blocks(&args, args.blocks, 4 * g.K, ctx.isa.lanes)
        blocks -= args.blocks


cdef inline _csrc.int8_matrix_args int8_matrix(const Step* s, const Context* ctx) noexcept nogil:
    # table 4 says where the chunks of a sum begin
    cdef const Int8DenseMatrix* g = <const Int8DenseMatrix*>s.geometry
    cdef _csrc.int8_matrix_args args
    memset(&args, 0, sizeof(args))
    args.layer = int8_layer(s, ctx)
    args.layer.blocks = g.blocks
    args.rows, args.chunks, args.depth, args.x_step = g.rows, g.chunks, g.depth, g.x_step
    args.chunk_offsets = s.t[4]
    return args


cdef void conv2d_u8_chwn_matrix(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Matrix* g = <const Int8Matrix*>s.geometry
    cdef Py_ssize_t p = 0, row = 0, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef _csrc.int8_matrix_args args = int8_matrix(s, ctx)
    args.layer.end.r_m, args.layer.pool = g.r_m, <int>g.pool
    args.planes, args.x_plane, args.x_row, args.width = g.planes, g.x_c, g.x_r, g.width
    while p < g.positions and not must_stop():
        args.layer.positions = min(g.block, g.positions - p)
        if g.planes > 0:
            args.pixels, args.height = <int*>workspace(s, ctx), min(g.block_height, g.height - row)
            args.image = operand_words(s, 0, ctx) + (g.x_from + row * g.x_r) * L
            args.layer.x = args.pixels - row * g.width * g.planes * L
        isa.conv_u8_matrix(&args)
        args.layer.x_offsets += g.block
        args.layer.y_offsets += g.block // 4 if g.pool else g.block
        if args.layer.end.r_offsets != NULL:
            args.layer.end.r_offsets += g.block
        p += g.block
        row += g.block_step


cdef void dense_u8_chwn_matrix(const Step* s, const Context* ctx) noexcept nogil:
    cdef _csrc.int8_matrix_args args = int8_matrix(s, ctx)
    args.layer.end.r_m = (<const Int8DenseMatrix*>s.geometry).r_m
    args.pixels = <int*>workspace(s, ctx) if s.t[0] != NULL else NULL
    _csrc.cnnfast_active_int8().dense_u8_matrix(&args)


cdef inline void int8_pool(const Step* s, const Context* ctx, _csrc.int8_pool_t kernel, _csrc.int8_end end,
                           Py_ssize_t x_zero) noexcept nogil:
    cdef const Pool* g = <const Pool*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef _csrc.int8_pool_args args
    args.H, args.W, args.OH, args.OW = g.H, g.W, g.OH, g.OW
    args.KH, args.KW, args.SH, args.SW, args.PT, args.PL, args.DH, args.DW = (
        g.KH, g.KW, g.SH, g.SW, g.PT, g.PL, g.DH, g.DW)
    args.x_row, args.y_row, args.m, args.x_zero, args.end = g.x_r, g.y_r, s.p[0], <int>x_zero, end
    for c in range(g.C):
        if must_stop():
            return
        args.x = operand_words(s, 0, ctx) + c * g.x_c * L
        args.y = result_words(s, ctx) + c * g.y_c * L
        kernel(&args)


cdef void max_pool_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pool(s, ctx, _csrc.cnnfast_active_int8().max_pool_u8, int8_end_of(0, 0, 255), 0)


cdef void avg_pool_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # its geometry begins as that of any pool
    cdef const Int8AvgPool* g = <const Int8AvgPool*>s.geometry
    int8_pool(s, ctx, _csrc.cnnfast_active_int8().avg_pool_u8, int8_end_of(g.zero, g.low, g.high), g.x_zero)


cdef inline void int8_pair(const Step* s, const Context* ctx, _csrc.int8_pair_t kernel) noexcept nogil:
    cdef const Int8Pair* g = <const Int8Pair*>s.geometry
    cdef Py_ssize_t i, j, L = ctx.isa.lanes
    cdef _csrc.int8_pair_args args
    args.n, args.a_step, args.b_step = g.C, g.a2, g.b2
    args.a_spread, args.b_spread = <int>g.a_spread, <int>g.b_spread
    args.a_zero, args.b_zero, args.a_m, args.b_m = <int>g.a_zero, <int>g.b_zero, g.a_m, g.b_m
    args.end = int8_end_of(g.zero, g.low, g.high)
    args.end.wide = 1
    for i in range(g.A):
        if must_stop():
            return
        for j in range(g.B):
            args.a = operand_words(s, 0, ctx) + (i * g.a0 + j * g.a1) * L
            args.b = operand_words(s, 1, ctx) + (i * g.b0 + j * g.b1) * L
            args.y = result_words(s, ctx) + (i * g.y0 + j * g.y1) * L
            kernel(&args)


cdef void add_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pair(s, ctx, _csrc.cnnfast_active_int8().add_u8)


cdef void mul_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pair(s, ctx, _csrc.cnnfast_active_int8().mul_u8)


cdef void lookup_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # one table of 256 bytes for all channels, or one for each of them, filled up to whole blocks
    cdef const Int8Lookup* g = <const Int8Lookup*>s.geometry
    cdef Py_ssize_t c, i, k, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef const unsigned char* tables[4]
    for c in range(g.C):
        if must_stop():
            return
        for k in range(4):
            tables[k] = <const unsigned char*>s.p[0] + (256 * (4 * c + k) if g.by_channel else 0)
        for i in range(g.H):
            isa.lookup_u8(g.W, operand_words(s, 0, ctx) + (c * g.x_c + i * g.x_r) * L,
                          result_words(s, ctx) + (c * g.y_c + i * g.y_r) * L, tables)


cdef void quantize_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # C channels of floats to blocks of four; what fills the last block repeats its last channel
    cdef const Int8Quantize* g = <const Int8Quantize*>s.geometry
    cdef Py_ssize_t c, i, k, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef const float* rows[4]
    for c in range((g.C + 3) // 4):
        if must_stop():
            return
        for i in range(g.H):
            for k in range(4):
                rows[k] = operand(s, 0, ctx) + (min(4 * c + k, g.C - 1) * g.x_c + i * g.x_r) * L
            isa.quantize_u8(g.W, rows, result_words(s, ctx) + (c * g.y_c + i * g.y_r) * L, g.m, g.zero)


cdef void dequantize_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Quantize* g = <const Int8Quantize*>s.geometry
    cdef Py_ssize_t c, i, k, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef float* rows[4]
    for c in range((g.C + 3) // 4):
        if must_stop():
            return
        for i in range(g.H):
            for k in range(4):
                rows[k] = result(s, ctx) + (min(4 * c + k, g.C - 1) * g.y_c + i * g.y_r) * L
            isa.dequantize_u8(g.W, operand_words(s, 0, ctx) + (c * g.x_c + i * g.x_r) * L, rows,
                              min(g.C - 4 * c, <Py_ssize_t>4), <int>g.zero, g.m)


cdef void move_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    _csrc.cnnfast_active_int8().move_u8(g.count, operand_words(s, 0, ctx), s.t[0], result_words(s, ctx), s.t[1])


cdef void halo_u8_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # as halo_f32_chwn_direct, with the zero point of the value
    cdef const Int8Halo* g = <const Int8Halo*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef Share share = share_of_border(ctx, g.C, g.H, g.W)
    cdef int* y
    cdef int word = four_times(g.value)
    for c in range(share.first, share.last):
        y = result_words(s, ctx) + c * g.y_c * L
        if share.start == 0:
            isa.fill_u8(g.top * g.y_r + g.left, word, y - (g.top * g.y_r + g.left) * L)
        for i in range(share.start, min(share.stop, g.H - 1)):
            isa.fill_u8(g.right + g.left, word, y + (i * g.y_r + g.W) * L)
        if share.stop == g.H:
            isa.fill_u8(g.right + g.bottom * g.y_r, word, y + ((g.H - 1) * g.y_r + g.W) * L)
