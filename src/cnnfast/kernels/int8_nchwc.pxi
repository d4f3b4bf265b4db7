# The layer loops of integers for one image with channels in the lanes. A pixel is L bytes, one for each of L channels;
# offsets and strides count pixels, but those of inputs that are multiplied count words of four channels. The formulas
# are those of docs/quantization.md; the innermost tiles are in csrc/int8/nchwc/.


cdef inline const unsigned char* operand_bytes(const Step* s, int i, const Context* ctx) noexcept nogil:
    return <const unsigned char*>operand(s, i, ctx)


cdef inline unsigned char* result_bytes(const Step* s, const Context* ctx) noexcept nogil:
    return <unsigned char*>result(s, ctx)


cdef inline _csrc.int8_pixel_args pixel_layer(const Step* s, const Context* ctx) noexcept nogil:
    # all of a layer, as if it were one block: the geometry of all kinds begins alike
    cdef const Int8Nchwc* g = <const Int8Nchwc*>s.geometry
    cdef _csrc.int8_pixel_args args
    memset(&args, 0, sizeof(args))
    args.K, args.y_channel, args.positions, args.pool = g.K, g.y_c, g.positions, <int>g.pool
    args.x, args.y = operand_words(s, 0, ctx), result_bytes(s, ctx)
    args.w, args.bias, args.sums = <const int*>s.p[1], <const int*>s.p[2], <const int*>s.p[3]
    args.tap_offsets, args.x_offsets, args.y_offsets = s.t[0], s.t[1], s.t[2]
    args.vectors = 1
    args.end = int8_end_of(g.zero, g.low, g.high)
    args.end.m, args.end.wide, args.end.to_float = s.p[0], <int>g.wide, <int>g.to_float
    args.end.r = operand_words(s, 1, ctx) if s.n_operands > 1 else NULL
    args.end.r_block, args.end.r_offsets, args.end.r_zero, args.end.r_m = g.r_c, s.t[3], <int>g.r_zero, g.r_m
    return args


cdef inline void at_vector(_csrc.int8_pixel_args* args, Py_ssize_t vector, Py_ssize_t words,
                           Py_ssize_t L) noexcept nogil:
    # from the first vector of output channels to another one, each of ``words`` words of weights
    args.w += vector * words
    args.bias += vector * L
    args.sums += vector * L
    args.end.m += vector * L
    args.y += vector * args.y_channel * (4 * L if args.end.to_float else L)
    if args.end.r != NULL:
        args.end.r += vector * args.end.r_block * L // 4


cdef void conv2d_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    # as conv2d_f32_nchwc_direct; a dense layer has one position
    cdef const Int8Nchwc* g = <const Int8Nchwc*>s.geometry
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef Py_ssize_t L = ctx.isa.lanes, vectors = vectors_of(g.OC, L), blocks = blocks_of(vectors, g.vectors), block
    cdef Py_ssize_t first, at
    cdef Share share = share_of_layer(ctx, blocks, g.positions)
    cdef _csrc.int8_pixel_args whole = pixel_layer(s, ctx)
    cdef _csrc.int8_pixel_args args
    for block in range(share.first, share.last):
        first = block_start(block, blocks, vectors)
        args = whole
        at_vector(&args, first, g.K * L, L)
        args.vectors = block_start(block + 1, blocks, vectors) - first
        if args.tap_offsets != NULL:
            args.tap_offsets += first * g.taps_c
        at = share.start
        while at < share.stop and not must_stop():
            args.x_offsets, args.positions = s.t[1] + at, min(share.stop - at, <Py_ssize_t>POSITIONS_PER_CHECK)
            args.y_offsets = s.t[2] + (at // 4 if g.pool else at)
            args.end.r_offsets = s.t[3] + at if s.t[3] != NULL else NULL
            isa.conv_u8_nchwc(&args)
            at += POSITIONS_PER_CHECK


cdef void dense_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    conv2d_u8_nchwc_direct(s, ctx)


cdef void conv2d_u8_nchwc_depthwise(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8DepthwiseNchwc* g = <const Int8DepthwiseNchwc*>s.geometry
    cdef const _csrc.cnnfast_int8_kernels* isa = _csrc.cnnfast_active_int8()
    cdef Py_ssize_t L = ctx.isa.lanes, v
    cdef Share share = share_of_layer(ctx, vectors_of(g.OC, L), g.positions)
    cdef _csrc.int8_pixel_args whole = pixel_layer(s, ctx)
    cdef _csrc.int8_pixel_args args
    whole.end.r_m = g.r_m
    whole.positions = share.stop - share.start
    whole.x_offsets += share.start
    whole.y_offsets += share.start // 4 if whole.pool else share.start
    if whole.end.r_offsets != NULL:
        whole.end.r_offsets += share.start
    for v in range(share.first, share.last):
        if must_stop():
            return
        args = whole
        at_vector(&args, v, g.K // 4 * L, L)
        args.x += v * g.x_c * L // 4
        isa.depthwise_u8_nchwc(&args)


cdef inline void int8_pool_nchwc(const Step* s, const Context* ctx, _csrc.int8_pool_t kernel,
                                 _csrc.int8_end end, Py_ssize_t x_zero) noexcept nogil:
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
        args.x = <const int*>(operand_bytes(s, 0, ctx) + c * g.x_c * L)
        args.y = <int*>(result_bytes(s, ctx) + c * g.y_c * L)
        kernel(&args)


cdef void max_pool_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pool_nchwc(s, ctx, _csrc.cnnfast_active_int8().max_pool_u8_nchwc, int8_end_of(0, 0, 255), 0)


cdef void avg_pool_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    # its geometry begins as that of any pool
    cdef const Int8AvgPool* g = <const Int8AvgPool*>s.geometry
    int8_pool_nchwc(s, ctx, _csrc.cnnfast_active_int8().avg_pool_u8_nchwc, int8_end_of(g.zero, g.low, g.high), g.x_zero)


cdef inline void int8_pair_nchwc(const Step* s, const Context* ctx, _csrc.int8_pair_t kernel) noexcept nogil:
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
            args.a = <const int*>(operand_bytes(s, 0, ctx) + (i * g.a0 + j * g.a1) * L)
            args.b = <const int*>(operand_bytes(s, 1, ctx) + (i * g.b0 + j * g.b1) * L)
            args.y = <int*>(result_bytes(s, ctx) + (i * g.y0 + j * g.y1) * L)
            kernel(&args)


cdef void add_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pair_nchwc(s, ctx, _csrc.cnnfast_active_int8().add_u8_nchwc)


cdef void mul_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    int8_pair_nchwc(s, ctx, _csrc.cnnfast_active_int8().mul_u8_nchwc)


cdef void lookup_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    # one table of 256 bytes for all channels, or one for each of them, filled up to whole vectors
    cdef const Int8Lookup* g = <const Int8Lookup*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const unsigned char* tables
    for c in range(g.C):
        if must_stop():
            return
        tables = <const unsigned char*>s.p[0] + (256 * L * c if g.by_channel else 0)
        for i in range(g.H):
            _csrc.cnnfast_active_int8().lookup_u8_nchwc(
                g.W, operand_bytes(s, 0, ctx) + (c * g.x_c + i * g.x_r) * L,
                result_bytes(s, ctx) + (c * g.y_c + i * g.y_r) * L, tables, 256 if g.by_channel else 0)


cdef void quantize_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Quantize* g = <const Int8Quantize*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    for c in range(vectors_of(g.C, L)):
        if must_stop():
            return
        for i in range(g.H):
            _csrc.cnnfast_active_int8().quantize_u8_nchwc(
                g.W, operand(s, 0, ctx) + (c * g.x_c + i * g.x_r) * L,
                result_bytes(s, ctx) + (c * g.y_c + i * g.y_r) * L, g.m, g.zero)


cdef void dequantize_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Int8Quantize* g = <const Int8Quantize*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    for c in range(vectors_of(g.C, L)):
        if must_stop():
            return
        for i in range(g.H):
            _csrc.cnnfast_active_int8().dequantize_u8_nchwc(
                g.W, operand_bytes(s, 0, ctx) + (c * g.x_c + i * g.x_r) * L,
                result(s, ctx) + (c * g.y_c + i * g.y_r) * L, g.zero, g.m)


cdef void move_u8_nchwc_elements(const Step* s, const Context* ctx) noexcept nogil:
    # one byte at a time, from any place to any other
    cdef const Count* g = <const Count*>s.geometry
    cdef const unsigned char* x = operand_bytes(s, 0, ctx)
    _csrc.cnnfast_active_int8().copy_u8_elements(g.count, x, s.t[0], result_bytes(s, ctx), s.t[1])


cdef void halo_u8_nchwc_direct(const Step* s, const Context* ctx) noexcept nogil:
    # the zero point around an image
    cdef const Int8Halo* g = <const Int8Halo*>s.geometry
    cdef Py_ssize_t c, i, before, L = ctx.isa.lanes
    cdef int zero = <int>g.value
    cdef Share share = share_of_border(ctx, g.C, g.H, g.W)
    cdef unsigned char* y
    for c in range(share.first, share.last):
        y = result_bytes(s, ctx) + c * g.y_c * L
        if share.start == 0:
            before = (g.top * g.y_r + g.left) * L
            memset(y - before, zero, before)
        for i in range(share.start, min(share.stop, g.H - 1)):
            memset(y + (i * g.y_r + g.W) * L, zero, (g.right + g.left) * L)
        if share.stop == g.H:
            memset(y + ((g.H - 1) * g.y_r + g.W) * L, zero, (g.right + g.bottom * g.y_r) * L)
