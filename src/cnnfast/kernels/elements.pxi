# Ops that both layouts compute with the same geometry: arithmetic of two values, functions of one element, reductions,
# normalization over axes of an image, moves by tables of places, interpolation. The textbook loop of each is above
# its twin for images in the lanes, where strides and places count vectors.

ctypedef float (*binary_t)(float, float) noexcept nogil


cdef inline float smaller(float a, float b) noexcept nogil:
    # NaN wins, as in numpy.minimum
    return b if b < a or b != b else a


cdef inline float sum_of(float a, float b) noexcept nogil:
    return a + b


cdef inline float product(float a, float b) noexcept nogil:
    return a * b


cdef inline float difference(float a, float b) noexcept nogil:
    return a - b


cdef inline float quotient(float a, float b) noexcept nogil:
    return a / b


cdef inline void binary(const Step* s, const Context* ctx, binary_t of) noexcept nogil:
    cdef const Broadcast* g = <const Broadcast*>s.geometry
    cdef Py_ssize_t A = g.A, B = g.B, C = g.C, i, j, k
    cdef const float* a = operand(s, 0, ctx)             # (A, B, C) through strides, 0 where it broadcasts
    cdef const float* b = operand(s, 1, ctx)             # (A, B, C) through strides
    cdef float* y = result(s, ctx)                          # (A, B, C)
    for i in range(A):
        for j in range(B):
            for k in range(C):
                y[i * g.y0 + j * g.y1 + k] = of(a[i * g.a0 + j * g.a1 + k * g.a2],
                                                b[i * g.b0 + j * g.b1 + k * g.b2])


cdef void add_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, sum_of)


cdef void mul_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, product)


cdef void sub_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, difference)


cdef void div_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, quotient)


cdef void maximum_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, larger)


cdef void minimum_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    binary(s, ctx, smaller)


cdef void sub_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.sub_f32)


cdef void div_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.div_f32)


cdef void maximum_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.maximum_f32)


cdef void minimum_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    arithmetic(s, ctx, ctx.isa.minimum_f32)


cdef inline float softplus(float x) noexcept nogil:
    return larger(x, 0) + log1pf(expf(-fabsf(x)))


cdef inline float function_of(float x, Py_ssize_t which, float f0) noexcept nogil:
    if which == _csrc.FUN_ABS:
        return fabsf(x)
    if which == _csrc.FUN_SQRT:
        return sqrtf(x)
    if which == _csrc.FUN_EXP:
        return expf(x)
    if which == _csrc.FUN_LOG:
        return logf(x)
    if which == _csrc.FUN_ERF:
        return erff(x)
    if which == _csrc.FUN_SOFTPLUS:
        return softplus(x)
    if which == _csrc.FUN_SOFTSIGN:
        return x / (1 + fabsf(x))
    if which == _csrc.FUN_THRESHOLDED_RELU:
        return 0 if x <= f0 else x
    if which == _csrc.FUN_SIGN:
        # NaN stays
        return 1 if x > 0 else (-1 if x < 0 else x)
    if which == _csrc.FUN_ROUND:
        return rintf(x)
    return x * tanhf(softplus(x))          # FUN_MISH: a program takes no other number


cdef void function_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Function* g = <const Function*>s.geometry
    cdef Py_ssize_t H = g.H, W = g.W, c, i, j
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for c in range(g.C):
        for i in range(H):
            for j in range(W):
                y[c * g.y_c + i * g.y_r + j] = function_of(x[c * g.x_c + i * g.x_r + j], g.which, g.f0)


cdef void function_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Function* g = <const Function*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, xc = g.x_c, xr = g.x_r, yc = g.y_c, yr = g.y_r, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for c in range(C):
        for i in range(H):
            isa.function_f32(W, x + (c * xc + i * xr) * L, result(s, ctx) + (c * yc + i * yr) * L,
                             <int>g.which, g.f0)


cdef inline float start_of(Py_ssize_t how) noexcept nogil:
    # what a reduction begins with: 0 for a mean or sum, else what every element replaces
    if how == _csrc.REDUCE_MAX:
        return -INFINITY
    return INFINITY if how == _csrc.REDUCE_MIN else 0


cdef inline double taken(double total, float x, Py_ssize_t how) noexcept nogil:
    if how == _csrc.REDUCE_MAX:
        return larger(<float>total, x)
    return smaller(<float>total, x) if how == _csrc.REDUCE_MIN else total + x


cdef void reduce_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    # sizes of what is kept and of what is reduced, 1 for an axis of the other kind
    cdef const Reduce* g = <const Reduce*>s.geometry
    cdef Py_ssize_t i, j, k, p, q, r, at, how = g.how
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    cdef double total
    for i in range(g.K0):
        for j in range(g.K1):
            for k in range(g.K2):
                total = start_of(how)
                for p in range(g.R0):
                    for q in range(g.R1):
                        for r in range(g.R2):
                            at = (i + p) * g.x0 + (j + q) * g.x1 + (k + r) * g.x2
                            total = taken(total, x[at], how)
                if how == _csrc.REDUCE_MEAN:
                    total /= g.R0 * g.R1 * g.R2
                y[i * g.y0 + j * g.y1 + k * g.y2] = <float>total


cdef void reduce_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Reduce* g = <const Reduce*>s.geometry
    cdef Py_ssize_t i, j, k, p, q, l
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y
    cdef float count = g.R0 * g.R1 * g.R2
    cdef int how = <int>g.how
    cdef bint is_long = (how == _csrc.REDUCE_MEAN or how == _csrc.REDUCE_SUM) and g.R0 * g.R1 * g.R2 > _csrc.SHORT_SUM
    cdef _csrc.sum_args args = terms(g.R0, g.R1, g.R2, g.x0, g.x1, g.x2)
    for i in range(g.K0):
        for j in range(g.K1):
            for k in range(g.K2):
                y = result(s, ctx) + (i * g.y0 + j * g.y1 + k * g.y2) * L
                args.x = x + (i * g.x0 + j * g.x1 + k * g.x2) * L
                if is_long:
                    isa.long_sum_f32(&args, y)
                else:
                    isa.fill_f32(1, start_of(how), y)
                    for p in range(g.R0):
                        for q in range(g.R1):
                            isa.reduce_f32(g.R2, args.x + (p * g.x0 + q * g.x1) * L, g.x2, y, how)
                if how == _csrc.REDUCE_MEAN:
                    for l in range(L):
                        y[l] /= count


cdef void normalize_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    # as reduce; the kept part of axis 0 goes in steps of a group
    cdef const Normalize* g = <const Normalize*>s.geometry
    cdef Py_ssize_t i, j, k, p, q, r, step = g.step
    cdef const float* x
    cdef float* y
    cdef const float* scale
    cdef const float* shift
    cdef double mean, variance, centered, count = g.R0 * g.R1 * g.R2
    for i in range(g.K0):
        for j in range(g.K1):
            for k in range(g.K2):
                x = operand(s, 0, ctx) + i * step * g.x0 + j * g.x1 + k * g.x2
                y = result(s, ctx) + i * step * g.y0 + j * g.y1 + k * g.y2
                scale = s.p[0] + i * step * g.w0 + j * g.w1 + k * g.w2
                shift = s.p[1] + i * step * g.w0 + j * g.w1 + k * g.w2
                mean = 0
                for p in range(g.R0):
                    for q in range(g.R1):
                        for r in range(g.R2):
                            mean += x[p * g.x0 + q * g.x1 + r * g.x2]
                mean /= count
                variance = 0
                for p in range(g.R0):
                    for q in range(g.R1):
                        for r in range(g.R2):
                            centered = x[p * g.x0 + q * g.x1 + r * g.x2] - mean
                            variance += centered * centered
                variance = variance / count + g.eps
                for p in range(g.R0):
                    for q in range(g.R1):
                        for r in range(g.R2):
                            y[p * g.y0 + q * g.y1 + r * g.y2] = <float>(
                                (x[p * g.x0 + q * g.x1 + r * g.x2] - mean) / sqrt(variance)
                                * scale[p * g.w0 + q * g.w1 + r * g.w2]
                                + shift[p * g.w0 + q * g.w1 + r * g.w2])


cdef void normalize_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Normalize* g = <const Normalize*>s.geometry
    cdef Py_ssize_t i, j, k, p, q, step = g.step, w
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x
    cdef float* y
    cdef _csrc.sum_args args = terms(g.R0, g.R1, g.R2, g.x0, g.x1, g.x2)
    for i in range(g.K0):
        for j in range(g.K1):
            for k in range(g.K2):
                x = args.x = operand(s, 0, ctx) + (i * step * g.x0 + j * g.x1 + k * g.x2) * L
                y = result(s, ctx) + (i * step * g.y0 + j * g.y1 + k * g.y2) * L
                isa.statistics_f32(&args, g.eps, workspace(s, ctx))
                for p in range(g.R0):
                    for q in range(g.R1):
                        w = (i * step + p) * g.w0 + (j + q) * g.w1 + k * g.w2
                        isa.normalize_f32(g.R2, x + (p * g.x0 + q * g.x1) * L, g.x2,
                                          y + (p * g.y0 + q * g.y1) * L, g.y2, workspace(s, ctx),
                                          s.p[0] + w, s.p[1] + w, g.w2)


cdef void gather_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Gather* g = <const Gather*>s.geometry
    cdef Py_ssize_t i, j, k
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.A):
        for j in range(g.B):
            for k in range(g.C):
                y[i * g.y0 + j * g.y1 + k * g.y2] = x[s.t[0][i] + s.t[1][j] + s.t[2][k]]


cdef void gather_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Gather* g = <const Gather*>s.geometry
    cdef Py_ssize_t i, j
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, ctx)
    for i in range(g.A):
        for j in range(g.B):
            isa.gather_f32(g.C, x + (<Py_ssize_t>s.t[0][i] + s.t[1][j]) * L, s.t[2],
                           result(s, ctx) + (i * g.y0 + j * g.y1) * L, g.y2)


cdef void resize_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Resize* g = <const Resize*>s.geometry
    cdef Py_ssize_t OH = g.OH, OW = g.OW, KH = g.KH, KW = g.KW, c, i, j, p, q
    cdef const float* x
    cdef float* y = result(s, ctx)
    cdef float total
    for c in range(g.C):
        x = operand(s, 0, ctx) + c * g.x_c
        for i in range(OH):
            for j in range(OW):
                total = 0
                for p in range(KH):
                    for q in range(KW):
                        total += (s.p[0][i * KH + p] * s.p[1][j * KW + q]
                                  * x[s.t[0][i * KH + p] + s.t[1][j * KW + q]])
                y[c * g.y_c + i * g.y_r + j] = total


cdef void resize_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Resize* g = <const Resize*>s.geometry
    cdef Py_ssize_t OH = g.OH, c, i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.resize_args args
    args.OW, args.KH, args.KW, args.cols, args.col_weight = g.OW, g.KH, g.KW, s.t[1], s.p[1]
    for c in range(g.C):
        args.x = operand(s, 0, ctx) + c * g.x_c * L
        for i in range(OH):
            args.rows = s.t[0] + i * args.KH
            args.row_weight = s.p[0] + i * args.KH
            args.y = result(s, ctx) + (c * g.y_c + i * g.y_r) * L
            isa.resize_f32(&args)


cdef void matmul_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const MatMul* g = <const MatMul*>s.geometry
    cdef Py_ssize_t K = g.K, i, m, o, k
    cdef const float* a = operand(s, 0, ctx)             # (B, M, K) through strides, 0 where it is repeated
    cdef const float* b = operand(s, 1, ctx)             # (B, K, O) through strides
    cdef float* y = result(s, ctx)                          # (B, M, O) through strides
    cdef float total
    for i in range(g.B):
        for m in range(g.M):
            for o in range(g.O):
                total = 0
                for k in range(K):
                    total += (a[i * g.a0 + m * g.a1 + k * g.a2]
                              * b[i * g.b0 + k * g.b1 + o * g.b2])
                y[i * g.y0 + m * g.y1 + o * g.y2] = total


cdef void matmul_f32_chwn_direct(const Step* s, const Context* ctx) noexcept nogil:
    cdef const MatMul* g = <const MatMul*>s.geometry
    cdef Py_ssize_t i
    cdef const _csrc.cnnfast_kernels* isa = ctx.isa
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.matmul_args args
    args.M, args.K, args.O = g.M, g.K, g.O
    args.a_m, args.a_k, args.b_k, args.b_o, args.y_m, args.y_o = g.a1, g.a2, g.b1, g.b2, g.y1, g.y2
    for i in range(g.B):
        args.a = operand(s, 0, ctx) + i * g.a0 * L
        args.b = operand(s, 1, ctx) + i * g.b0 * L
        args.y = result(s, ctx) + i * g.y0 * L
        isa.matmul_f32(&args)
