# The layer loops for images in the lanes, layout chwn<L>. An element is a vector: the same value of L images. Offsets,
# strides and tables count vectors; a value may have a border of zeros (its halo), so every loop takes the strides
# of its channels and rows. The innermost tiles are in csrc/.


cdef enum:
    CHANNELS_PER_CHECK = 8                 # channels of a depthwise convolution between two looks at signals


cdef inline Py_ssize_t blocks_of(Py_ssize_t count, Py_ssize_t most) noexcept nogil:
    # into how many blocks channels, or anything else, are divided
    return (count + most - 1) // most


cdef inline Py_ssize_t block_start(Py_ssize_t block, Py_ssize_t blocks, Py_ssize_t channels) noexcept nogil:
    # where a block starts: sizes differ by at most one, so that no tile is much smaller than the others
    return block * channels // blocks


cdef inline Py_ssize_t ahead_of(Py_ssize_t weights) noexcept nogil:
    # how far ahead to ask for the weights of a layer, in floats: only for those that take half of the cache and more
    return _csrc.PAGE_AHEAD if weights * 8 > _csrc.cnnfast_near_cache() else 0


cdef inline Epilogue epilogue_of(const Step* s, const Context* ctx, Py_ssize_t act, float f0, float f1,
                                 Py_ssize_t r_channel, const int* r_offsets) noexcept nogil:
    # what follows the sum: a residual if there is a second operand, then an activation
    cdef Epilogue end
    end.r = operand(s, 1, ctx) if s.n_operands > 1 else NULL
    end.r_channel = r_channel
    end.r_offsets = r_offsets
    end.act = <int>act
    end.f0 = f0
    end.f1 = f1
    return end


cdef void conv2d_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # A block of positions goes through all output channels before the next one, so that its input stays in the cache;
    # groups of one output channel share no input, so there each channel goes through all positions.
    cdef const Direct* g = <const Direct*>s.geometry
    cdef Py_ssize_t groups = g.groups, K = g.K, OC = g.OC, x_group = g.x_group, y_channel = g.y_c
    cdef Py_ssize_t positions = g.positions, pool = g.pool, r_channel = g.r_c, block = g.block
    cdef Py_ssize_t resume = g.resume
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef const float* weight = s.p[0]                      # blocks of channels, each (K, channels)
    cdef const float* bias = s.p[1]                        # (groups * OC,)
    cdef Py_ssize_t group, tile, o, p, tiles = blocks_of(OC, isa.tile_oc), L = isa.lanes
    cdef _csrc.conv_args args
    args.tap_offsets, args.K, args.pool, args.resume, args.y_channel = s.t[0], K, <int>pool, <int>resume, y_channel
    if OC == 1:
        args.x, args.w, args.bias, args.y, args.channels = operand(s, 0, ctx), weight, bias, result(s, ctx), 1
        args.x_offsets, args.y_offsets, args.positions, args.tap_sets = s.t[1], s.t[2], positions, g.tap_sets
        args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, s.t[3])
        while groups > 0 and not must_stop():
            isa.conv_f32_depthwise(&args, min(groups, <Py_ssize_t>CHANNELS_PER_CHECK), x_group)
            args.x += CHANNELS_PER_CHECK * x_group * L
            args.w += CHANNELS_PER_CHECK * K
            args.bias += CHANNELS_PER_CHECK
            args.y += CHANNELS_PER_CHECK * y_channel * L
            if args.end.r != NULL:
                args.end.r += CHANNELS_PER_CHECK * r_channel * L
            groups -= CHANNELS_PER_CHECK
        return
    for group in range(groups):
        args.x = operand(s, 0, ctx) + group * x_group * L
        p = 0
        while p < positions and not must_stop():
            args.positions = min(block, positions - p)
            args.x_offsets = s.t[1] + p
            args.y_offsets = s.t[2] + (p // 4 if pool else p)
            args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, r_channel, s.t[3] + p if s.t[3] != NULL else NULL)
            for tile in range(tiles):
                o = group * OC + block_start(tile, tiles, OC)
                args.channels = block_start(tile + 1, tiles, OC) - block_start(tile, tiles, OC)
                args.w = weight + o * K
                args.bias = bias + o
                args.y = result(s, ctx) + o * y_channel * L
                if args.end.r != NULL:
                    args.end.r = operand(s, 1, ctx) + o * r_channel * L
                isa.conv_f32_direct(&args)
            p += block


cdef void dense_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # first the channels that fill turned tiles, then the others
    cdef const Dense* g = <const Dense*>s.geometry
    cdef Py_ssize_t turned = g.turned, rest = g.O - turned, tile = ctx.isa.turned_oc, first = 0
    cdef Py_ssize_t block, blocks = blocks_of(rest, ctx.isa.dense_oc)
    cdef _csrc.dense_args args
    args.x = operand(s, 0, ctx)
    args.tap_offsets, args.K, args.y_channel, args.ahead = s.t[0], g.K, g.y_c, ahead_of(g.K * g.O)
    args.end = epilogue_of(s, ctx, g.act, g.f0, g.f1, g.r_c, NULL)
    while first < turned:
        if must_stop():
            return
        dense_block(s, ctx, g, &args, first, tile)
        ctx.isa.dense_f32_turned(&args)
        first += tile
    for block in range(blocks):
        if must_stop():
            return
        first = turned + block_start(block, blocks, rest)
        dense_block(s, ctx, g, &args, first, turned + block_start(block + 1, blocks, rest) - first)
        ctx.isa.dense_f32_direct(&args)


cdef inline void dense_block(const Step* s, const Context* ctx, const Dense* g, _csrc.dense_args* args,
                             Py_ssize_t first, Py_ssize_t channels) noexcept nogil:
    # where a block of channels finds what it needs
    cdef Py_ssize_t L = ctx.isa.lanes
    args.channels = channels
    args.w = s.p[0] + first * g.K
    args.bias = s.p[1] + first
    args.y = result(s, ctx) + first * g.y_c * L
    if args.end.r != NULL:
        args.end.r = operand(s, 1, ctx) + first * g.r_c * L


cdef inline void pool(const Step* s, const Context* ctx, _csrc.pool_t kernel) noexcept nogil:
    cdef const Pool* g = <const Pool*>s.geometry
    cdef Py_ssize_t C = g.C, x_channel = g.x_c, y_channel = g.y_c, c, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef _csrc.pool_args args
    args.H, args.W, args.OH, args.OW = g.H, g.W, g.OH, g.OW
    args.KH, args.KW, args.SH, args.SW, args.PT, args.PL, args.DH, args.DW = (
        g.KH, g.KW, g.SH, g.SW, g.PT, g.PL, g.DH, g.DW)
    args.x_row, args.y_row, args.divisor = g.x_r, g.y_r, s.p[0]
    for c in range(C):
        if must_stop():
            return
        args.x = x + c * x_channel * L
        args.y = result(s, ctx) + c * y_channel * L
        kernel(&args)


cdef void max_pool_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    pool(s, ctx, ctx.isa.max_pool_f32)


cdef void avg_pool_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    pool(s, ctx, ctx.isa.avg_pool_f32)


cdef inline _csrc.sum_args terms(Py_ssize_t n0, Py_ssize_t n1, Py_ssize_t n2,
                                 Py_ssize_t step0, Py_ssize_t step1, Py_ssize_t step2) noexcept nogil:
    cdef _csrc.sum_args args
    args.x = NULL
    args.n[0], args.n[1], args.n[2] = n0, n1, n2
    args.step[0], args.step[1], args.step[2] = step0, step1, step2
    return args


cdef void global_avg_pool_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const GlobalPool* g = <const GlobalPool*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, x_channel = g.x_c, x_row = g.x_r, y_channel = g.y_c, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y
    cdef float count = H * W
    cdef _csrc.sum_args args = terms(1, H, W, 0, x_row, 1)
    for c in range(C):
        y = result(s, ctx) + c * y_channel * L
        args.x = x + c * x_channel * L
        if H * W > _csrc.SHORT_SUM:
            isa.long_sum_f32(&args, y)
        else:
            isa.fill_f32(1, 0, y)
            for i in range(H):
                isa.sum_f32(W, args.x + i * x_row * L, y)
        for i in range(L):
            y[i] /= count


cdef void global_max_pool_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const GlobalPool* g = <const GlobalPool*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, x_channel = g.x_c, x_row = g.x_r, y_channel = g.y_c, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y
    for c in range(C):
        y = result(s, ctx) + c * y_channel * L
        isa.fill_f32(1, -INFINITY, y)
        for i in range(H):
            isa.max_f32(W, x + (c * x_channel + i * x_row) * L, y)


cdef void affine_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Rows* g = <const Rows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.affine_f32(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L, s.p[0][c], s.p[1][c])


cdef void prelu_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Rows* g = <const Rows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.leaky_f32(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L, s.p[0][c])


cdef void activate_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Activate* g = <const Activate*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.activate_f32(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L,
                             <int>g.act, g.f0, g.f1)


cdef inline void softmax_chwn(const Step* s, const Context* ctx, int take_log) noexcept nogil:
    cdef const Softmax* g = <const Softmax*>s.geometry
    cdef Py_ssize_t A = g.A, B = g.B, K = g.K, i, j
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            isa.softmax_f32(K, x + (i * g.x0 + j * g.x1) * L, g.x2,
                            result(s, ctx) + (i * g.y0 + j * g.y1) * L, g.y2, take_log)


cdef void softmax_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    softmax_chwn(s, ctx, 0)


cdef void log_softmax_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    softmax_chwn(s, ctx, 1)


cdef inline void arithmetic(const Step* s, const Context* ctx, _csrc.arithmetic_t kernel) noexcept nogil:
    cdef const Broadcast* g = <const Broadcast*>s.geometry
    cdef Py_ssize_t A = g.A, B = g.B, C = g.C, i, j, L = ctx.isa.lanes
    cdef const float* a = operand(s, 0, ctx)
    cdef const float* b = operand(s, 1, ctx)
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            kernel(C, a + (i * g.a0 + j * g.a1) * L, g.a2, b + (i * g.b0 + j * g.b1) * L, g.b2,
                   result(s, ctx) + (i * g.y0 + j * g.y1) * L)


cdef void add_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.add_f32)


cdef void mul_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.mul_f32)


cdef void copy_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Copy* g = <const Copy*>s.geometry
    cdef Py_ssize_t A = g.A, B = g.B, C = g.C, i, j
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx) + g.at * L
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            isa.copy_f32(C, x + (i * g.a0 + j * g.a1) * L, g.a2, y + (i * g.y0 + j * g.y1) * L, g.y2)


cdef void fill_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const FillRows* g = <const FillRows*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    for c in range(C):
        for i in range(H):
            isa.fill_f32(W, g.value, result(s, ctx) + (c * yc + i * yr) * L)


cdef void halo_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # zero the border around a value: rows above, a left and a right strip, rows below
    cdef const Halo* g = <const Halo*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, yc = g.y_c, yr = g.y_r
    cdef Py_ssize_t top = g.top, left = g.left, bottom = g.bottom, right = g.right, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef Share share = share_of_border(ctx, C, H, W)
    cdef float* y
    for c in range(share.first, share.last):
        y = result(s, ctx) + c * yc * L
        if share.start == 0:
            isa.fill_f32(top * yr + left, 0, y - (top * yr + left) * L)
        for i in range(share.start, min(share.stop, H - 1)):
            isa.fill_f32(right + left, 0, y + (i * yr + W) * L)
        if share.stop == H:
            isa.fill_f32(right + bottom * yr, 0, y + ((H - 1) * yr + W) * L)


cdef void lrn_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Lrn* g = <const Lrn*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r
    cdef Py_ssize_t size = g.size, c, i, k
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* energy = workspace(s, ctx)               # (W,)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.fill_f32(W, 0, energy)
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.square_add_f32(W, x + (k * xc + i * xr) * L, energy)
            isa.lrn_f32(W, x + (c * xc + i * xr) * L, energy, result(s, ctx) + (c * yc + i * yr) * L,
                        g.alpha / size, g.beta, g.bias)
