# The layer loops for images in the lanes, layout chwn<L>. An element is a vector: the same value of L images. Offsets,
# strides and tables count vectors; a value may lie inside a border of zeros (its halo), so every loop takes the strides
# of its channels and rows. The innermost tiles are in csrc/.


cdef enum:
    CHANNELS_PER_CHECK = 8                  # channels of a depthwise convolution between two looks at signals


cdef inline Py_ssize_t blocks_of(Py_ssize_t channels, Py_ssize_t most) noexcept nogil:
    # into how many blocks channels are divided
    return (channels + most - 1) // most


cdef inline Py_ssize_t block_start(Py_ssize_t block, Py_ssize_t blocks, Py_ssize_t channels) noexcept nogil:
    # where a block starts: sizes differ by at most one, so that no tile is much smaller than the others
    return block * channels // blocks


cdef inline Epilogue ending(const Step* s, float* arena, Py_ssize_t act, Py_ssize_t r_channel,
                            const int* r_offsets) noexcept nogil:
    # what follows the sum: a residual if there is a second operand, then an activation
    cdef Epilogue end
    end.r = operand(s, 1, arena) if s.n_operands > 1 else NULL
    end.r_channel = r_channel
    end.r_offsets = r_offsets
    end.act = <int>act
    end.f0 = s.f[0]
    end.f1 = s.f[1]
    return end


cdef void conv2d_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    # A block of positions goes through all output channels before the next one, so that its input stays in the cache;
    # groups of one output channel share no input, so there each channel goes through all positions.
    cdef Py_ssize_t groups = s.g[0], K = s.g[1], OC = s.g[2], x_group = s.g[3], y_channel = s.g[4]
    cdef Py_ssize_t positions = s.g[5], pool = s.g[6], act = s.g[7], r_channel = s.g[8], block = s.g[9]
    cdef Py_ssize_t resume = s.g[10]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef const float* weight = s.p[0]                      # blocks of channels, each (K, channels)
    cdef const float* bias = s.p[1]                        # (groups * OC,)
    cdef Py_ssize_t group, tile, o, p, tiles = blocks_of(OC, isa.tile_oc), L = isa.lanes
    cdef _csrc.conv_args run
    run.tap_offsets, run.K, run.pool, run.resume, run.y_channel = s.t[0], K, <int>pool, <int>resume, y_channel
    if OC == 1:
        run.x, run.w, run.bias, run.y, run.channels = operand(s, 0, arena), weight, bias, arena + s.dst, 1
        run.x_offsets, run.y_offsets, run.positions = s.t[1], s.t[2], positions
        run.end = ending(s, arena, act, r_channel, s.t[3])
        while groups > 0 and not must_stop():
            isa.conv_f32_depthwise(&run, min(groups, <Py_ssize_t>CHANNELS_PER_CHECK), x_group)
            run.x += CHANNELS_PER_CHECK * x_group * L
            run.w += CHANNELS_PER_CHECK * K
            run.bias += CHANNELS_PER_CHECK
            run.y += CHANNELS_PER_CHECK * y_channel * L
            if run.end.r != NULL:
                run.end.r += CHANNELS_PER_CHECK * r_channel * L
            groups -= CHANNELS_PER_CHECK
        return
    for group in range(groups):
        run.x = operand(s, 0, arena) + group * x_group * L
        p = 0
        while p < positions and not must_stop():
            run.positions = min(block, positions - p)
            run.x_offsets = s.t[1] + p
            run.y_offsets = s.t[2] + (p // 4 if pool else p)
            run.end = ending(s, arena, act, r_channel, s.t[3] + p if s.t[3] != NULL else NULL)
            for tile in range(tiles):
                o = group * OC + block_start(tile, tiles, OC)
                run.channels = block_start(tile + 1, tiles, OC) - block_start(tile, tiles, OC)
                run.w = weight + o * K
                run.bias = bias + o
                run.y = arena + s.dst + o * y_channel * L
                if run.end.r != NULL:
                    run.end.r = operand(s, 1, arena) + o * r_channel * L
                isa.conv_f32_direct(&run)
            p += block


cdef void dense_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t K = s.g[0], O = s.g[1], y_channel = s.g[2], act = s.g[3], r_channel = s.g[4]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t block, first, blocks = blocks_of(O, isa.dense_oc), L = isa.lanes
    cdef _csrc.dense_args run
    run.x = operand(s, 0, arena)
    run.tap_offsets, run.K, run.y_channel = s.t[0], K, y_channel
    run.end = ending(s, arena, act, r_channel, NULL)
    for block in range(blocks):
        if must_stop():
            return
        first = block_start(block, blocks, O)
        run.channels = block_start(block + 1, blocks, O) - first
        run.w = s.p[0] + first * K
        run.bias = s.p[1] + first
        run.y = arena + s.dst + first * y_channel * L
        if run.end.r != NULL:
            run.end.r = operand(s, 1, arena) + first * r_channel * L
        isa.dense_f32_direct(&run)


cdef inline void winograd(const Step* s, float* arena, int E, _csrc.winograd_t transform,
                          _csrc.winograd_t finish) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], OC = s.g[1], x_channel = s.g[2], x_row = s.g[3], y_channel = s.g[4], y_row = s.g[5]
    cdef Py_ssize_t tiles = s.g[6], pool = s.g[7], act = s.g[8], r_channel = s.g[9], r_row = s.g[10]
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t T = 1 if tiles == 1 else 4, blocks = blocks_of(OC, isa.single_oc if tiles == 1 else isa.tile_oc)
    cdef Py_ssize_t step, tile, block, first, L = isa.lanes
    cdef _csrc.winograd_args run
    run.C, run.x_channel, run.x_row, run.T = C, x_channel, x_row, T
    run.x = operand(s, 0, arena)
    run.v = arena + s.workspace
    run.y_channel, run.y_row, run.r_row, run.pool = y_channel, y_row, r_row, <int>pool
    run.end = ending(s, arena, act, r_channel, NULL)
    for step in range(tiles // T):
        if must_stop():
            return
        tile = step * T
        run.x_offsets = s.t[0] + tile
        run.y_offsets = s.t[1] + tile
        run.rows = s.t[2] + tile
        run.cols = s.t[3] + tile
        run.end.r_offsets = s.t[4] + tile if s.t[4] != NULL else NULL
        transform(&run)
        for block in range(blocks):
            first = block_start(block, blocks, OC)
            run.channels = block_start(block + 1, blocks, OC) - first
            run.u = s.p[0] + first * E * C
            run.bias = s.p[1] + first
            run.y = arena + s.dst + first * y_channel * L
            if run.end.r != NULL:
                run.end.r = operand(s, 1, arena) + first * r_channel * L
            finish(&run)


cdef void conv2d_f32_chwn_winograd4x3(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd(s, arena, 36, isa.winograd_f32_f4x3_input, isa.winograd_f32_f4x3_output)


cdef void conv2d_f32_chwn_winograd4x5(const Step* s, float* arena) noexcept nogil:
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    winograd(s, arena, 64, isa.winograd_f32_f4x5_input, isa.winograd_f32_f4x5_output)


cdef inline void pool(const Step* s, float* arena, _csrc.pool_t kernel) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], x_channel = s.g[13], y_channel = s.g[15], c, L = _csrc.cnnfast_active().lanes
    cdef const float* x = operand(s, 0, arena)
    cdef _csrc.pool_args run
    run.H, run.W, run.OH, run.OW = s.g[1], s.g[2], s.g[3], s.g[4]
    run.KH, run.KW, run.SH, run.SW, run.PT, run.PL, run.DH, run.DW = (
        s.g[5], s.g[6], s.g[7], s.g[8], s.g[9], s.g[10], s.g[11], s.g[12])
    run.x_row, run.y_row, run.divisor = s.g[14], s.g[16], s.p[0]
    for c in range(C):
        if must_stop():
            return
        run.x = x + c * x_channel * L
        run.y = arena + s.dst + c * y_channel * L
        kernel(&run)


cdef void max_pool_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    pool(s, arena, _csrc.cnnfast_active().max_pool_f32)


cdef void avg_pool_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    pool(s, arena, _csrc.cnnfast_active().avg_pool_f32)


cdef inline _csrc.sum_args terms(Py_ssize_t n0, Py_ssize_t n1, Py_ssize_t n2,
                                Py_ssize_t step0, Py_ssize_t step1, Py_ssize_t step2) noexcept nogil:
    cdef _csrc.sum_args run
    run.x = NULL
    run.n[0], run.n[1], run.n[2] = n0, n1, n2
    run.step[0], run.step[1], run.step[2] = step0, step1, step2
    return run


cdef void global_avg_pool_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], x_channel = s.g[3], x_row = s.g[4], y_channel = s.g[5], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* y
    cdef float count = H * W
    cdef _csrc.sum_args run = terms(1, H, W, 0, x_row, 1)
    for c in range(C):
        y = arena + s.dst + c * y_channel * L
        run.x = x + c * x_channel * L
        if H * W > _csrc.SHORT_SUM:
            isa.long_sum_f32(&run, y)
        else:
            isa.fill_f32(1, 0, y)
            for i in range(H):
                isa.sum_f32(W, run.x + i * x_row * L, y)
        for i in range(L):
            y[i] /= count


cdef void global_max_pool_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], x_channel = s.g[3], x_row = s.g[4], y_channel = s.g[5], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* y
    for c in range(C):
        y = arena + s.dst + c * y_channel * L
        isa.fill_f32(1, -INFINITY, y)
        for i in range(H):
            isa.max_f32(W, x + (c * x_channel + i * x_row) * L, y)


cdef void affine_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.affine_f32(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L, s.p[0][c], s.p[1][c])


cdef void prelu_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.leaky_f32(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L, s.p[0][c])


cdef void activate_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.activate_f32(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L,
                             <int>s.g[7], s.f[0], s.f[1])


cdef inline void softmax_chwn(const Step* s, float* arena, int take_log) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], K = s.g[2], i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            isa.softmax_f32(K, x + (i * s.g[3] + j * s.g[4]) * L, s.g[5],
                            arena + s.dst + (i * s.g[6] + j * s.g[7]) * L, s.g[8], take_log)


cdef void softmax_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    softmax_chwn(s, arena, 0)


cdef void log_softmax_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    softmax_chwn(s, arena, 1)


cdef inline void arithmetic(const Step* s, float* arena, _csrc.arithmetic_t kernel) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], C = s.g[2], i, j, L = _csrc.cnnfast_active().lanes
    cdef const float* a = operand(s, 0, arena)
    cdef const float* b = operand(s, 1, arena)
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            kernel(C, a + (i * s.g[3] + j * s.g[4]) * L, s.g[5], b + (i * s.g[6] + j * s.g[7]) * L, s.g[8],
                   arena + s.dst + (i * s.g[9] + j * s.g[10]) * L)


cdef void add_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().add_f32)


cdef void mul_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().mul_f32)


cdef void copy_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], C = s.g[2], i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst + s.g[9] * L
    for i in range(A):
        if must_stop():
            return
        for j in range(B):
            isa.copy_f32(C, x + (i * s.g[3] + j * s.g[4]) * L, s.g[5], y + (i * s.g[6] + j * s.g[7]) * L, s.g[8])


cdef void fill_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], yc = s.g[3], yr = s.g[4], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    for c in range(C):
        for i in range(H):
            isa.fill_f32(W, s.f[0], arena + s.dst + (c * yc + i * yr) * L)


cdef void halo_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    # zero the border around a value: rows above, a left and a right strip, rows below
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], yc = s.g[3], yr = s.g[4]
    cdef Py_ssize_t top = s.g[5], left = s.g[6], bottom = s.g[7], right = s.g[8], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef float* y
    for c in range(C):
        y = arena + s.dst + (c * yc - top * yr - left) * L
        isa.fill_f32(top * yr + left, 0, y)
        for i in range(H - 1):
            isa.fill_f32(right + left, 0, arena + s.dst + (c * yc + i * yr + W) * L)
        isa.fill_f32(right + bottom * yr, 0, arena + s.dst + (c * yc + (H - 1) * yr + W) * L)


cdef void lrn_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6]
    cdef Py_ssize_t size = s.g[7], c, i, k
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* energy = arena + s.workspace               # (W,)
    for c in range(C):
        if must_stop():
            return
        for i in range(H):
            isa.fill_f32(W, 0, energy)
            for k in range(max(<Py_ssize_t>0, c - (size - 1) // 2), min(C - 1, c + size // 2) + 1):
                isa.square_add_f32(W, x + (k * xc + i * xr) * L, energy)
            isa.lrn_f32(W, x + (c * xc + i * xr) * L, energy, arena + s.dst + (c * yc + i * yr) * L,
                        s.f[0] / size, s.f[1], s.f[2])
