# The layer loops of training, for images in the lanes: what passes gradients back, and what sums them. Where a result
# is a sum over images (the gradient of a parameter) it is a run of numbers, not of vectors, and added to.


cdef void conv2d_weight_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t groups = s.g[0], K = s.g[1], OC = s.g[2], x_group = s.g[3], y_channel = s.g[4]
    cdef Py_ssize_t positions = s.g[5], block = s.g[6], group, o, p, L = _csrc.cnnfast_active().lanes
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef const float* dy = operand(s, 1, arena)
    cdef float* dw = arena + s.dst                         # (groups * OC, K)
    cdef _csrc.weight_args run
    run.tap_offsets, run.K, run.y_channel = s.t[0], K, y_channel
    for group in range(groups):
        run.x = operand(s, 0, arena) + group * x_group * L
        p = 0
        while p < positions:
            run.positions = min(block, positions - p)
            run.x_offsets = s.t[1] + p
            run.y_offsets = s.t[2] + p
            o = group * OC
            while o < (group + 1) * OC:
                run.channels = min(<Py_ssize_t>_csrc.GRAD_OC, (group + 1) * OC - o)
                run.dy = dy + o * y_channel * L
                run.dw = dw + o * K
                isa.weight_gradient_f32(&run)
                o += run.channels
            p += block


cdef void dense_weight_f32_chwn_outer(const Step* s, float* arena) noexcept nogil:
    # images are summed over, so features go into the lanes
    cdef Py_ssize_t F = s.g[0], O = s.g[1], L = _csrc.cnnfast_active().lanes, whole = F // L, q, o, f
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef const float* x = operand(s, 0, arena)
    cdef float* dw = arena + s.dst                         # (O, F)
    cdef float* columns = arena + s.workspace              # (Q, L) vectors
    cdef float* rest = columns + (whole + 1) * L * L       # (O, L)
    cdef _csrc.outer_args run
    for q in range(whole + 1):
        if q * L < F:
            isa.transpose_f32(min(L, F - q * L), x + q * L * L, 1, columns + q * L * L)
    run.rows, run.R, run.row_step, run.K = operand(s, 1, arena), O, L, L
    run.columns, run.Q, run.out, run.out_step, run.set = columns, whole, dw, F, 0
    isa.outer_f32(&run)
    if whole * L < F:
        run.columns, run.Q, run.out, run.out_step, run.set = columns + whole * L * L, 1, rest, L, 1
        isa.outer_f32(&run)
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


cdef inline void winograd_weight(const Step* s, float* arena, int E, int K, _csrc.winograd_t spread_x,
                                 _csrc.tile_back_t spread_dy, _csrc.collect_t collect) noexcept nogil:
    # Sums of outer products for each of the E elements: the channels of one side are rows, those of the other columns.
    # A block of sums is finished for all elements before the next begins, so that it stays in the cache.
    cdef Py_ssize_t C = s.g[0], OC = s.g[1], tiles = s.g[6], swap = s.g[7], BR = s.g[8], BQ = s.g[9]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t T = 1 if tiles == 1 else 4, R = C if swap else OC, columns = OC if swap else C
    cdef Py_ssize_t L = isa.lanes, Q = (columns + L - 1) // L, tile, e, t, i, j, r0, q0
    cdef Py_ssize_t u_step = BR * BQ + 1                   # one more: elements share no set of the cache
    cdef float* v = arena + s.workspace                    # (E, C + 1, T) vectors
    cdef float* m = v + E * (C + 1) * T * L                # (E, OC + 1, T)
    cdef float* turned = m + E * (OC + 1) * T * L          # (E, Q, T * L); one element where no other block needs it
    cdef Py_ssize_t turned_step = 0 if BR == R else Q * T * L * L
    cdef float* u = turned + ((E - 1) * turned_step + Q * T * L * L)   # (E, u_step), of which (BR, BQ) are used
    cdef float* kernel = u + E * u_step * L                # (K * K,)
    cdef float* dw = arena + s.dst                         # (OC, C, K * K)
    cdef float* panel
    cdef const float* rows = v if swap else m
    cdef const float* source = m if swap else v
    cdef Py_ssize_t row_plane = (R + 1) * T * L, plane = (columns + 1) * T * L
    cdef Py_ssize_t r_step = K * K if swap else C * K * K, q_step = C * K * K if swap else K * K
    cdef _csrc.winograd_args forward
    cdef _csrc.tile_back_args back
    cdef _csrc.outer_args run
    forward.C, forward.x_channel, forward.x_row, forward.T, forward.x = C, s.g[2], s.g[3], T, operand(s, 0, arena)
    forward.v = v
    back.channels, back.y_channel, back.y_row, back.T, back.dy = OC, s.g[4], s.g[5], T, operand(s, 1, arena)
    back.m = m
    run.row_step, run.K, run.out_step = T * L, T * L, BQ * L
    for t in range(tiles // T):
        tile = t * T
        forward.x_offsets, back.y_offsets, back.used = s.t[0] + tile, s.t[1] + tile, s.t[2] + tile
        spread_x(&forward)
        spread_dy(&back)
        run.set = tile == 0
        for i in range((R + BR - 1) // BR):
            r0 = i * BR
            run.R = min(BR, R - r0)
            for j in range((Q + BQ - 1) // BQ):
                q0 = j * BQ
                run.Q = min(BQ, Q - q0)
                for e in range(E):
                    run.rows = rows + e * row_plane + r0 * T * L
                    panel = turned + e * turned_step + q0 * T * L * L
                    if r0 == 0:
                        into_columns(isa, run.Q, columns - q0 * L, T, source + e * plane + q0 * L * T * L, panel)
                    run.columns = panel
                    run.out = u + e * u_step * L
                    isa.outer_f32(&run)
                if tile + T == tiles:
                    add_kernels(&run, u, u_step, collect, s.p[0], K, kernel, columns - q0 * L, L,
                                dw + r0 * r_step + q0 * L * q_step, r_step, q_step)


cdef void conv2d_weight_f32_chwn_winograd4x3(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_weight(s, arena, 36, 3, isa.winograd_f32_f4x3_input, isa.winograd_f32_f4x3_gradient,
                    isa.winograd_f32_f4x3_collect)


cdef void conv2d_weight_f32_chwn_winograd4x5(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd_weight(s, arena, 64, 5, isa.winograd_f32_f4x5_input, isa.winograd_f32_f4x5_gradient,
                    isa.winograd_f32_f4x5_collect)


cdef void channel_sums_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(s.g[0]):
        _csrc.cnnfast_active().channel_sum_f32(s.g[1], s.g[2], x + c * s.g[3] * L, s.g[4], arena + s.dst + c)


cdef void moments_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(s.g[0]):
        _csrc.cnnfast_active().moments_f32(s.g[1], s.g[2], x + c * s.g[3] * L, s.g[4], arena + s.dst + 2 * c * L)


cdef void norm_sums_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    # with relu, dy passes back through it in place
    cdef Py_ssize_t c, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* dy = <float*>operand(s, 1, arena)
    for c in range(s.g[0]):
        _csrc.cnnfast_active().norm_sums_f32(s.g[1], s.g[2], x + c * s.g[3] * L, s.g[4], dy + c * s.g[5] * L, s.g[6],
                                             s.p[0] + 4 * c, <int>s.g[7], arena + s.dst + 2 * c * L)


cdef void affine_activate_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    cdef const float* r = operand(s, 1, arena) if s.n_operands > 1 else NULL
    for c in range(s.g[0]):
        for i in range(s.g[1]):
            _csrc.cnnfast_active().affine_activate_f32(
                s.g[2], x + (c * s.g[3] + i * s.g[4]) * L,
                r + (c * s.g[5] + i * s.g[6]) * L if r != NULL else NULL,
                arena + s.dst + (c * s.g[7] + i * s.g[8]) * L, s.p[0][4 * c], s.p[0][4 * c + 1], <int>s.g[9])


cdef void norm_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    cdef const float* dy = operand(s, 1, arena)
    for c in range(s.g[0]):
        for i in range(s.g[1]):
            _csrc.cnnfast_active().norm_back_f32(
                s.g[2], x + (c * s.g[3] + i * s.g[4]) * L, dy + (c * s.g[5] + i * s.g[6]) * L, operand(s, 2, arena),
                s.p[0] + 4 * c, arena + s.dst + (c * s.g[7] + i * s.g[8]) * L)


cdef void activate_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* a = operand(s, 0, arena)
    cdef const float* dy = operand(s, 1, arena)
    for c in range(s.g[0]):
        for i in range(s.g[1]):
            _csrc.cnnfast_active().activate_back_f32(
                s.g[2], a + (c * s.g[3] + i * s.g[4]) * L, dy + (c * s.g[5] + i * s.g[6]) * L,
                arena + s.dst + (c * s.g[7] + i * s.g[8]) * L, <int>s.g[9], s.f[0], s.f[1])


cdef void leaky_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    # the gradients of the slopes, (C,) or one for all, lie where the workspace is
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    cdef const float* dy = operand(s, 1, arena)
    for c in range(s.g[0]):
        for i in range(s.g[1]):
            _csrc.cnnfast_active().leaky_back_f32(
                s.g[2], x + (c * s.g[3] + i * s.g[4]) * L, dy + (c * s.g[5] + i * s.g[6]) * L,
                arena + s.dst + (c * s.g[7] + i * s.g[8]) * L, s.p[0][c], arena + s.workspace + c * s.g[9])


cdef void accumulate_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, L = _csrc.cnnfast_active().lanes
    cdef const float* p = operand(s, 0, arena)
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            _csrc.cnnfast_active().accumulate_f32(s.g[2], p + (i * s.g[3] + j * s.g[4]) * L, s.g[5],
                                                  arena + s.dst + (i * s.g[6] + j * s.g[7]) * L, s.g[8])


cdef void multiply_add_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, L = _csrc.cnnfast_active().lanes
    cdef const float* p = operand(s, 0, arena)
    cdef const float* q = operand(s, 1, arena)
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            _csrc.cnnfast_active().multiply_add_f32(
                s.g[2], p + (i * s.g[3] + j * s.g[4]) * L, s.g[5], q + (i * s.g[6] + j * s.g[7]) * L, s.g[8],
                arena + s.dst + (i * s.g[9] + j * s.g[10]) * L, s.g[11])


cdef void dropout_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(s.g[0]):
        for i in range(s.g[1]):
            _csrc.cnnfast_active().dropout_f32(
                s.g[2], x + (c * s.g[3] + i * s.g[4]) * L, operand(s, 1, arena), (c * s.g[1] + i) * s.g[2],
                <int>s.g[7], s.f[0], arena + s.dst + (c * s.g[5] + i * s.g[6]) * L)


# Losses: operands scores, targets, live; the loss of each image lies where the workspace is.

cdef void softmax_cross_entropy_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    _csrc.cnnfast_active().softmax_cross_entropy_f32(s.g[0], operand(s, 0, arena), operand(s, 1, arena),
                                                     operand(s, 2, arena), arena + s.workspace, arena + s.dst)


cdef void sigmoid_binary_cross_entropy_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    _csrc.cnnfast_active().sigmoid_cross_entropy_f32(s.g[0], operand(s, 0, arena), operand(s, 1, arena),
                                                     operand(s, 2, arena), arena + s.workspace, arena + s.dst)


cdef void mean_squared_error_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    _csrc.cnnfast_active().squared_error_f32(s.g[0], operand(s, 0, arena), operand(s, 1, arena),
                                             operand(s, 2, arena), arena + s.workspace, arena + s.dst)


cdef void softmax_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, L = _csrc.cnnfast_active().lanes
    cdef const float* y = operand(s, 0, arena)
    cdef const float* dy = operand(s, 1, arena)
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            _csrc.cnnfast_active().softmax_back_f32(
                s.g[2], y + (i * s.g[3] + j * s.g[4]) * L, s.g[5], dy + (i * s.g[6] + j * s.g[7]) * L, s.g[8],
                arena + s.dst + (i * s.g[9] + j * s.g[10]) * L, s.g[11], <int>s.g[12])


cdef void lrn_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], size = s.g[9], c, i, k
    cdef Py_ssize_t L = _csrc.cnnfast_active().lanes
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef const float* x = operand(s, 0, arena)
    cdef const float* dy = operand(s, 1, arena)
    cdef float* dx = arena + s.dst
    cdef float* passed = arena + s.workspace               # (C, W)
    for i in range(H):
        for c in range(C):
            isa.fill_f32(W, 0, passed + c * W * L)
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.square_add_f32(W, x + (k * s.g[3] + i * s.g[4]) * L, passed + c * W * L)
            isa.lrn_back_f32(W, x + (c * s.g[3] + i * s.g[4]) * L, dy + (c * s.g[5] + i * s.g[6]) * L,
                             passed + c * W * L, dx + (c * s.g[7] + i * s.g[8]) * L, s.f[0] / size, s.f[1], s.f[2])
        for c in range(C):
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.multiply_add_f32(W, x + (k * s.g[3] + i * s.g[4]) * L, 1, passed + c * W * L, 1,
                                     dx + (k * s.g[7] + i * s.g[8]) * L, 1)


cdef inline void pool_back(const Step* s, float* arena, _csrc.pool_back_t kernel) noexcept nogil:
    # operands dy, and for the largest x and y
    cdef Py_ssize_t c, L = _csrc.cnnfast_active().lanes
    cdef _csrc.pool_back_args run
    run.H, run.W, run.OH, run.OW = s.g[1], s.g[2], s.g[3], s.g[4]
    run.KH, run.KW, run.SH, run.SW, run.PT, run.PL, run.DH, run.DW = (
        s.g[5], s.g[6], s.g[7], s.g[8], s.g[9], s.g[10], s.g[11], s.g[12])
    run.x_row, run.y_row, run.dy_row, run.dx_row, run.divisor = s.g[14], s.g[16], s.g[18], s.g[20], s.p[0]
    for c in range(s.g[0]):
        run.dy = operand(s, 0, arena) + c * s.g[17] * L
        if s.n_operands > 1:
            run.x = operand(s, 1, arena) + c * s.g[13] * L
            run.y = operand(s, 2, arena) + c * s.g[15] * L
        run.dx = arena + s.dst + c * s.g[19] * L
        kernel(&run)


cdef void max_pool_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    pool_back(s, arena, _csrc.cnnfast_active().max_pool_back_f32)


cdef void avg_pool_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    pool_back(s, arena, _csrc.cnnfast_active().avg_pool_back_f32)


cdef void global_avg_pool_back_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t c, i, L = _csrc.cnnfast_active().lanes
    cdef const float* dy = operand(s, 0, arena)
    cdef float* share = arena + s.workspace
    for c in range(s.g[0]):
        for i in range(L):
            share[i] = dy[c * s.g[3] * L + i] / (s.g[1] * s.g[2])
        for i in range(s.g[1]):
            _csrc.cnnfast_active().copy_f32(s.g[2], share, 0, arena + s.dst + (c * s.g[4] + i * s.g[5]) * L, 1)


cdef str THREE = "x_c x_r dy_c dy_r y_c y_r"

cdef dict _BACKWARD = {
    "conv2d_weight_f32_chwn_direct": (
        <size_t>conv2d_weight_f32_chwn_direct, "groups K OC x_group y_c positions block", ""),
    "conv2d_weight_f32_chwn_winograd4x3": (
        <size_t>conv2d_weight_f32_chwn_winograd4x3, "C OC x_c x_r dy_c dy_r tiles swap block_rows block_columns", ""),
    "conv2d_weight_f32_chwn_winograd4x5": (
        <size_t>conv2d_weight_f32_chwn_winograd4x5, "C OC x_c x_r dy_c dy_r tiles swap block_rows block_columns", ""),
    "dense_weight_f32_chwn_outer": (<size_t>dense_weight_f32_chwn_outer, "F O", ""),
    "affine_activate_f32_chwn_direct": (
        <size_t>affine_activate_f32_chwn_direct, "C H W x_c x_r dy_c dy_r y_c y_r relu", ""),
    "channel_sums_f32_chwn_direct": (<size_t>channel_sums_f32_chwn_direct, "C H W x_c x_r", ""),
    "moments_f32_chwn_direct": (<size_t>moments_f32_chwn_direct, "C H W x_c x_r", ""),
    "norm_sums_f32_chwn_direct": (<size_t>norm_sums_f32_chwn_direct, "C H W x_c x_r dy_c dy_r relu", ""),
    "norm_back_f32_chwn_direct": (<size_t>norm_back_f32_chwn_direct, "C H W " + THREE, ""),
    "activate_back_f32_chwn_direct": (<size_t>activate_back_f32_chwn_direct, "C H W " + THREE + " act", "f0 f1"),
    "leaky_back_f32_chwn_direct": (<size_t>leaky_back_f32_chwn_direct, "C H W " + THREE + " slope_c", ""),
    "accumulate_f32_chwn_direct": (<size_t>accumulate_f32_chwn_direct, "A B C a0 a1 a2 y0 y1 y2", ""),
    "multiply_add_f32_chwn_direct": (<size_t>multiply_add_f32_chwn_direct, "A B C a0 a1 a2 b0 b1 b2 y0 y1 y2", ""),
    "dropout_f32_chwn_direct": (<size_t>dropout_f32_chwn_direct, "C H W x_c x_r y_c y_r threshold", "scale"),
    "softmax_cross_entropy_f32_chwn_direct": (<size_t>softmax_cross_entropy_f32_chwn_direct, "K", ""),
    "sigmoid_binary_cross_entropy_f32_chwn_direct": (<size_t>sigmoid_binary_cross_entropy_f32_chwn_direct, "K", ""),
    "mean_squared_error_f32_chwn_direct": (<size_t>mean_squared_error_f32_chwn_direct, "K", ""),
    "softmax_back_f32_chwn_direct": (
        <size_t>softmax_back_f32_chwn_direct, "A B K a0 a1 a2 b0 b1 b2 y0 y1 y2 log", ""),
    "lrn_back_f32_chwn_direct": (<size_t>lrn_back_f32_chwn_direct, "C H W " + THREE + " size", "alpha beta bias"),
    "max_pool_back_f32_chwn_direct": (
        <size_t>max_pool_back_f32_chwn_direct, POOL + " x_c x_r y_c y_r dy_c dy_r dx_c dx_r", ""),
    "avg_pool_back_f32_chwn_direct": (
        <size_t>avg_pool_back_f32_chwn_direct, POOL + " x_c x_r y_c y_r dy_c dy_r dx_c dx_r", ""),
    "global_avg_pool_back_f32_chwn_direct": (
        <size_t>global_avg_pool_back_f32_chwn_direct, "C H W dy_c y_c y_r", ""),
}

TRAINING_KERNELS = {name: (tuple(ints.split()), tuple(floats.split())) for name, (_, ints, floats) in _BACKWARD.items()}
_TABLE.update(_BACKWARD)
