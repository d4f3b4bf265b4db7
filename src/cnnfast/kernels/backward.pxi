# The layer loops of training, for images in the lanes: what passes gradients back, and what sums them. Where a result
# is a sum over images (the gradient of a parameter) it is a run of numbers, not of vectors, and added to.


cdef void conv2d_weight_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const DirectWeight* g = <const DirectWeight*>s.geometry
    cdef Py_ssize_t groups = g.groups, K = g.K, OC = g.OC, x_group = g.x_group, y_channel = g.y_c
    cdef Py_ssize_t positions = g.positions, block = g.block, group, o, p, L = ctx.isa.lanes
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef const float* dy = operand(s, 1, ctx)
    cdef float* dw = result(s, ctx)                         # (groups * OC, K)
    cdef _csrc.weight_args args
    args.tap_offsets, args.K, args.y_channel = s.t[0], K, y_channel
    for group in range(groups):
        args.x = operand(s, 0, ctx) + group * x_group * L
        p = 0
        while p < positions:
            args.positions = min(block, positions - p)
            args.x_offsets = s.t[1] + p
            args.y_offsets = s.t[2] + p
            o = group * OC
            while o < (group + 1) * OC:
                args.channels = min(<Py_ssize_t>_csrc.GRAD_OC, (group + 1) * OC - o)
                args.dy = dy + o * y_channel * L
                args.dw = dw + o * K
                isa.weight_gradient_f32(&args)
                o += args.channels
            p += block


cdef void dense_weight_f32_chwn_outer(const Step* s, const Context* ctx) noexcept nogil:
    # images are summed over, so features go into the lanes
    cdef const Matrix* g = <const Matrix*>s.geometry
    cdef Py_ssize_t F = g.F, O = g.O, L = ctx.isa.lanes, whole = F // L, q, o, f
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef const float* x = operand(s, 0, ctx)
    cdef float* dw = result(s, ctx)                         # (O, F)
    cdef float* columns = workspace(s, ctx)              # (Q, L) vectors
    cdef float* rest = columns + (whole + 1) * L * L       # (O, L)
    cdef _csrc.outer_args args
    for q in range(whole + 1):
        if q * L < F:
            isa.transpose_f32(min(L, F - q * L), x + q * L * L, 1, columns + q * L * L)
    args.rows, args.R, args.row_step, args.K = operand(s, 1, ctx), O, L, L
    args.columns, args.Q, args.out, args.out_step, args.set = columns, whole, dw, F, 0
    isa.outer_f32(&args)
    if whole * L < F:
        args.columns, args.Q, args.out, args.out_step, args.set = columns + whole * L * L, 1, rest, L, 1
        isa.outer_f32(&args)
        for o in range(O):
            for f in range(whole * L, F):
                dw[o * F + f] += rest[o * L + f - whole * L]


cdef inline void into_columns(const _csrc.cnnfast_kernels* isa, Py_ssize_t Q, Py_ssize_t channels, Py_ssize_t T,
                              const float* x, float* out) noexcept nogil:
    # (channels, T) vectors of images to (Q, T * L) vectors of channels
    cdef Py_ssize_t L = isa.lanes, q, t
    for q in range(Q):
        for t in range(T):
            isa.transpose_f32(min(L, channels - q * L), x + (q * L * T + t) * L, T, out + (q * T + t) * L * L)


cdef inline void add_kernels(const _csrc.outer_args* block, const float* u, Py_ssize_t u_step, _csrc.collect_t collect,
                             const float* g, int K, float* kernel, Py_ssize_t channels, Py_ssize_t L,
                             float* dw, Py_ssize_t r_step, Py_ssize_t q_step) noexcept nogil:
    # A finished block of sums back into kernels, which are added to those of its channels.
    cdef Py_ssize_t r, q, l, k
    for r in range(block.R):
        for q in range(block.Q):
            collect(u + r * block.out_step + q * L, u_step, g, kernel)
            for l in range(min(L, channels - q * L)):
                for k in range(K * K):
                    dw[r * r_step + (q * L + l) * q_step + k] += kernel[k * L + l]


cdef inline void winograd_weight(const Step* s, const Context* ctx, int E, int K, _csrc.winograd_t spread_x,
                                 _csrc.tile_back_t spread_dy, _csrc.tile_back_t spread_columns,
                                 _csrc.collect_t collect) noexcept nogil:
    # Sums of outer products for each of the E elements: the channels of one side are rows, those of the other columns,
    # which are turned so that channels are in the lanes: output channels before they are transformed, others after it.
    # A block of sums is finished for all elements before the next begins, so that it stays in the cache.
    cdef const WinogradWeight* g = <const WinogradWeight*>s.geometry
    cdef Py_ssize_t C = g.C, OC = g.OC, tiles = g.tiles, swap = g.swap, BR = g.block_rows, BQ = g.block_columns
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t T = 1 if tiles == 1 else 4, R = C if swap else OC, columns = OC if swap else C
    cdef Py_ssize_t L = isa.lanes, Q = (columns + L - 1) // L, tile, e, t, i, j, r0, q0
    cdef Py_ssize_t u_step = BR * BQ + 1                   # one more: elements share no set of the cache
    cdef float* v = workspace(s, ctx)                    # (E, C + 1, T) vectors
    cdef float* m = v + E * (C + 1) * T * L                # (E, OC + 1, T)
    # (E, Q, T * L), one element of it where no other block needs it; what is turned before it is transformed has no m
    cdef float* turned = m if swap else m + E * (OC + 1) * T * L
    cdef Py_ssize_t turned_step = (Q * T * L + 1) * L if swap else 0 if BR == R else Q * T * L * L
    cdef float* u = turned + ((E - 1) * turned_step + Q * T * L * L)   # (E, u_step), of which (BR, BQ) are used
    cdef float* kernel = u + E * u_step * L                # (K * K,)
    cdef float* dw = result(s, ctx)                         # (OC, C, K * K)
    cdef float* panel
    cdef const float* rows = v if swap else m
    cdef Py_ssize_t row_plane = (R + 1) * T * L, plane = (columns + 1) * T * L
    cdef Py_ssize_t r_step = K * K if swap else C * K * K, q_step = C * K * K if swap else K * K
    cdef _csrc.winograd_args forward
    cdef _csrc.tile_back_args back
    cdef _csrc.outer_args args
    forward.C, forward.x_channel, forward.x_row, forward.T, forward.x = C, g.x_c, g.x_r, T, operand(s, 0, ctx)
    forward.v = v
    back.channels, back.y_channel, back.y_row, back.T, back.dy = OC, g.dy_c, g.dy_r, T, operand(s, 1, ctx)
    back.m, back.plane = m, turned_step // L
    args.row_step, args.K, args.out_step = T * L, T * L, BQ * L
    for t in range(tiles // T):
        tile = t * T
        forward.x_offsets, back.y_offsets, back.used = s.t[0] + tile, s.t[1] + tile, s.t[2] + tile
        spread_x(&forward)
        if swap:
            spread_columns(&back)
        else:
            spread_dy(&back)
        args.set = tile == 0
        for i in range((R + BR - 1) // BR):
            r0 = i * BR
            args.R = min(BR, R - r0)
            for j in range((Q + BQ - 1) // BQ):
                q0 = j * BQ
                args.Q = min(BQ, Q - q0)
                for e in range(E):
                    args.rows = rows + e * row_plane + r0 * T * L
                    panel = turned + e * turned_step + q0 * T * L * L
                    if r0 == 0 and not swap:
                        into_columns(isa, args.Q, columns - q0 * L, T, v + e * plane + q0 * L * T * L, panel)
                    args.columns = panel
                    args.out = u + e * u_step * L
                    isa.outer_f32(&args)
                if tile + T == tiles:
                    add_kernels(&args, u, u_step, collect, s.p[0], K, kernel, columns - q0 * L, L,
                                dw + r0 * r_step + q0 * L * q_step, r_step, q_step)


cdef void conv2d_weight_f32_chwn_winograd4x3(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    winograd_weight(s, ctx, 36, 3, isa.winograd_f32_f4x3_input, isa.winograd_f32_f4x3_gradient,
                    isa.winograd_f32_f4x3_gradient_columns, isa.winograd_f32_f4x3_collect)


cdef void conv2d_weight_f32_chwn_winograd4x5(const Step* s, const Context* ctx) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    winograd_weight(s, ctx, 64, 5, isa.winograd_f32_f4x5_input, isa.winograd_f32_f4x5_gradient,
                    isa.winograd_f32_f4x5_gradient_columns, isa.winograd_f32_f4x5_collect)


cdef void channel_sums_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const ChannelSums* g = <const ChannelSums*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(g.C):
        ctx.isa.channel_sum_f32(g.H, g.W, x + c * g.x_c * L, g.x_r, result(s, ctx) + c)


cdef void moments_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const ChannelSums* g = <const ChannelSums*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(g.C):
        ctx.isa.moments_f32(g.H, g.W, x + c * g.x_c * L, g.x_r, result(s, ctx) + 2 * c * L)


cdef void norm_sums_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # with relu, dy passes back through it in place
    cdef const NormSums* g = <const NormSums*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* dy = <float*>operand(s, 1, ctx)
    for c in range(g.C):
        ctx.isa.norm_sums_f32(g.H, g.W, x + c * g.x_c * L, g.x_r, dy + c * g.dy_c * L, g.dy_r,
                              s.p[0] + 4 * c, <int>g.relu, result(s, ctx) + 2 * c * L)


cdef void norm_sums_activate_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # the same with relu, whose result is computed again; the sums are in the workspace
    cdef const RowsBack* g = <const RowsBack*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* dy = <float*>operand(s, 1, ctx)
    for c in range(g.C):
        ctx.isa.norm_sums_activate_f32(g.H, g.W, x + c * g.x_c * L, g.x_r, dy + c * g.dy_c * L, g.dy_r, s.p[0] + 4 * c,
                                       result(s, ctx) + c * g.y_c * L, g.y_r, workspace(s, ctx) + 2 * c * L)


cdef void affine_activate_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const AffineActivate* g = <const AffineActivate*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef const float* r = operand(s, 1, ctx) if s.n_operands > 1 else NULL
    for c in range(g.C):
        for i in range(g.H):
            ctx.isa.affine_activate_f32(
                g.W, x + (c * g.x_c + i * g.x_r) * L,
                r + (c * g.r_c + i * g.r_r) * L if r != NULL else NULL,
                result(s, ctx) + (c * g.y_c + i * g.y_r) * L, s.p[0][4 * c], s.p[0][4 * c + 1], <int>g.relu)


cdef void norm_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const RowsBack* g = <const RowsBack*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef const float* dy = operand(s, 1, ctx)
    for c in range(g.C):
        for i in range(g.H):
            ctx.isa.norm_back_f32(
                g.W, x + (c * g.x_c + i * g.x_r) * L, dy + (c * g.dy_c + i * g.dy_r) * L, operand(s, 2, ctx),
                s.p[0] + 4 * c, result(s, ctx) + (c * g.y_c + i * g.y_r) * L)


cdef void activate_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const ActivateBack* g = <const ActivateBack*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* a = operand(s, 0, ctx)
    cdef const float* dy = operand(s, 1, ctx)
    for c in range(g.C):
        for i in range(g.H):
            ctx.isa.activate_back_f32(
                g.W, a + (c * g.x_c + i * g.x_r) * L, dy + (c * g.dy_c + i * g.dy_r) * L,
                result(s, ctx) + (c * g.y_c + i * g.y_r) * L, <int>g.act, g.f0, g.f1)


cdef void leaky_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    # the gradients of the slopes, (C,) or one for all, are in the workspace
    cdef const LeakyBack* g = <const LeakyBack*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef const float* dy = operand(s, 1, ctx)
    for c in range(g.C):
        for i in range(g.H):
            ctx.isa.leaky_back_f32(
                g.W, x + (c * g.x_c + i * g.x_r) * L, dy + (c * g.dy_c + i * g.dy_r) * L,
                result(s, ctx) + (c * g.y_c + i * g.y_r) * L, s.p[0][c], workspace(s, ctx) + c * g.slope_c)


cdef void accumulate_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Accumulate* g = <const Accumulate*>s.geometry
    cdef Py_ssize_t i, j, L = ctx.isa.lanes
    cdef const float* p = operand(s, 0, ctx)
    for i in range(g.A):
        for j in range(g.B):
            ctx.isa.accumulate_f32(g.C, p + (i * g.a0 + j * g.a1) * L, g.a2,
                                   result(s, ctx) + (i * g.y0 + j * g.y1) * L, g.y2)


cdef void multiply_add_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const MultiplyAdd* g = <const MultiplyAdd*>s.geometry
    cdef Py_ssize_t i, j, L = ctx.isa.lanes
    cdef const float* p = operand(s, 0, ctx)
    cdef const float* q = operand(s, 1, ctx)
    for i in range(g.A):
        for j in range(g.B):
            ctx.isa.multiply_add_f32(
                g.C, p + (i * g.a0 + j * g.a1) * L, g.a2, q + (i * g.b0 + j * g.b1) * L, g.b2,
                result(s, ctx) + (i * g.y0 + j * g.y1) * L, g.y2)


cdef void dropout_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Dropout* g = <const Dropout*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(g.C):
        for i in range(g.H):
            ctx.isa.dropout_f32(
                g.W, x + (c * g.x_c + i * g.x_r) * L, operand(s, 1, ctx), (c * g.H + i) * g.W,
                <int>g.threshold, g.scale, result(s, ctx) + (c * g.y_c + i * g.y_r) * L)


# Losses: operands scores, targets, live; the loss of each image is in the workspace.

cdef void softmax_cross_entropy_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Loss* g = <const Loss*>s.geometry
    ctx.isa.softmax_cross_entropy_f32(g.K, operand(s, 0, ctx), operand(s, 1, ctx),
                                      operand(s, 2, ctx), workspace(s, ctx), result(s, ctx))


cdef void sigmoid_binary_cross_entropy_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Loss* g = <const Loss*>s.geometry
    ctx.isa.sigmoid_cross_entropy_f32(g.K, operand(s, 0, ctx), operand(s, 1, ctx),
                                      operand(s, 2, ctx), workspace(s, ctx), result(s, ctx))


cdef void mean_squared_error_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Loss* g = <const Loss*>s.geometry
    ctx.isa.squared_error_f32(g.K, operand(s, 0, ctx), operand(s, 1, ctx),
                              operand(s, 2, ctx), workspace(s, ctx), result(s, ctx))


cdef void softmax_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const SoftmaxBack* g = <const SoftmaxBack*>s.geometry
    cdef Py_ssize_t i, j, L = ctx.isa.lanes
    cdef const float* y = operand(s, 0, ctx)
    cdef const float* dy = operand(s, 1, ctx)
    for i in range(g.A):
        for j in range(g.B):
            ctx.isa.softmax_back_f32(
                g.K, y + (i * g.a0 + j * g.a1) * L, g.a2, dy + (i * g.b0 + j * g.b1) * L, g.b2,
                result(s, ctx) + (i * g.y0 + j * g.y1) * L, g.y2, <int>g.log)


cdef void lrn_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const LrnBack* g = <const LrnBack*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, size = g.size, c, i, k
    cdef Py_ssize_t L = ctx.isa.lanes
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef const float* x = operand(s, 0, ctx)
    cdef const float* dy = operand(s, 1, ctx)
    cdef float* dx = result(s, ctx)
    cdef float* passed = workspace(s, ctx)               # (C, W)
    for i in range(H):
        for c in range(C):
            isa.fill_f32(W, 0, passed + c * W * L)
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.square_add_f32(W, x + (k * g.x_c + i * g.x_r) * L, passed + c * W * L)
            isa.lrn_back_f32(W, x + (c * g.x_c + i * g.x_r) * L, dy + (c * g.dy_c + i * g.dy_r) * L,
                             passed + c * W * L, dx + (c * g.y_c + i * g.y_r) * L, g.alpha / size, g.beta, g.bias)
        for c in range(C):
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.multiply_add_f32(W, x + (k * g.x_c + i * g.x_r) * L, 1, passed + c * W * L, 1,
                                     dx + (k * g.y_c + i * g.y_r) * L, 1)


cdef inline void pool_back(const Step* s, const Context* ctx, _csrc.pool_back_t kernel) noexcept nogil:
    # operands dy, and for the largest x and y
    cdef const PoolBack* g = <const PoolBack*>s.geometry
    cdef Py_ssize_t c, L = ctx.isa.lanes
    cdef _csrc.pool_back_args args
    args.H, args.W, args.OH, args.OW = g.H, g.W, g.OH, g.OW
    args.KH, args.KW, args.SH, args.SW, args.PT, args.PL, args.DH, args.DW = (
        g.KH, g.KW, g.SH, g.SW, g.PT, g.PL, g.DH, g.DW)
    args.x_row, args.y_row, args.dy_row, args.dx_row, args.divisor = g.x_r, g.y_r, g.dy_r, g.dx_r, s.p[0]
    for c in range(g.C):
        args.dy = operand(s, 0, ctx) + c * g.dy_c * L
        if s.n_operands > 1:
            args.x = operand(s, 1, ctx) + c * g.x_c * L
            args.y = operand(s, 2, ctx) + c * g.y_c * L
        args.dx = result(s, ctx) + c * g.dx_c * L
        kernel(&args)


cdef void max_pool_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    pool_back(s, ctx, ctx.isa.max_pool_back_f32)


cdef void avg_pool_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    pool_back(s, ctx, ctx.isa.avg_pool_back_f32)


cdef void global_avg_pool_back_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const GlobalPoolBack* g = <const GlobalPoolBack*>s.geometry
    cdef Py_ssize_t c, i, L = ctx.isa.lanes
    cdef const float* dy = operand(s, 0, ctx)
    cdef float* share = workspace(s, ctx)
    for c in range(g.C):
        for i in range(L):
            share[i] = dy[c * g.dy_c * L + i] / (g.H * g.W)
        for i in range(g.H):
            ctx.isa.copy_f32(g.W, share, 0, result(s, ctx) + (c * g.y_c + i * g.y_r) * L, 1)
