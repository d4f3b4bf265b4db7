# Ops that both layouts compute with the same geometry: arithmetic of two values, functions of one element, reductions,
# normalization over axes of an image, moves by tables of places, interpolation. The textbook loop of each stands above
# its twin for images in the lanes, where strides and places count vectors.

ctypedef float (*binary_t)(float, float) noexcept nogil


cdef inline float smaller(float a, float b) noexcept nogil:
    # NaN wins, as in numpy.minimum
    return b if b < a or b != b else a


cdef inline float difference(float a, float b) noexcept nogil:
    return a - b


cdef inline float quotient(float a, float b) noexcept nogil:
    return a / b


cdef inline void binary(const Step* s, float* arena, binary_t of) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], C = s.g[2], i, j, k
    cdef const float* a = operand(s, 0, arena)             # (A, B, C) through strides, 0 where it broadcasts
    cdef const float* b = operand(s, 1, arena)             # (A, B, C) through strides
    cdef float* y = arena + s.dst                          # (A, B, C)
    for i in range(A):
        for j in range(B):
            for k in range(C):
                y[(i * B + j) * C + k] = of(a[i * s.g[3] + j * s.g[4] + k * s.g[5]],
                                            b[i * s.g[6] + j * s.g[7] + k * s.g[8]])


cdef void sub_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    binary(s, arena, difference)


cdef void div_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    binary(s, arena, quotient)


cdef void maximum_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    binary(s, arena, larger)


cdef void minimum_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    binary(s, arena, smaller)


cdef void sub_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().sub_f32)


cdef void div_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().div_f32)


cdef void maximum_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().maximum_f32)


cdef void minimum_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    arithmetic(s, arena, _csrc.cnnfast_active().minimum_f32)


cdef inline float softplus(float x) noexcept nogil:
    return larger(x, 0) + log1pf(expf(-fabsf(x)))


cdef inline float function_of(float x, Py_ssize_t which, float f0) noexcept nogil:
    if which == 0:
        return fabsf(x)
    if which == 1:
        return sqrtf(x)
    if which == 2:
        return expf(x)
    if which == 3:
        return logf(x)
    if which == 4:
        return erff(x)
    if which == 5:
        return softplus(x)
    if which == 6:
        return x / (1 + fabsf(x))
    if which == 8:
        return 0 if x <= f0 else x
    if which == 9:
        # NaN stays
        return 1 if x > 0 else (-1 if x < 0 else x)
    if which == 10:
        return rintf(x)
    return x * tanhf(softplus(x))


cdef void function_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t H = s.g[1], W = s.g[2], c, i, j
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for c in range(s.g[0]):
        for i in range(H):
            for j in range(W):
                y[c * s.g[5] + i * s.g[6] + j] = function_of(x[c * s.g[3] + i * s.g[4] + j], s.g[7], s.f[0])


cdef void function_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], xc = s.g[3], xr = s.g[4], yc = s.g[5], yr = s.g[6], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for c in range(C):
        for i in range(H):
            isa.function_f32(W, x + (c * xc + i * xr) * L, arena + s.dst + (c * yc + i * yr) * L,
                             <int>s.g[7], s.f[0])


cdef inline float start_of(Py_ssize_t how) noexcept nogil:
    # what a reduction begins with: 0 for a mean or sum, else what every element replaces
    if how == 2:
        return -INFINITY
    return INFINITY if how == 3 else 0


cdef inline double taken(double total, float x, Py_ssize_t how) noexcept nogil:
    if how == 2:
        return larger(<float>total, x)
    return smaller(<float>total, x) if how == 3 else total + x


cdef void reduce_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    # sizes of what is kept and of what is reduced, 1 for an axis of the other kind
    cdef Py_ssize_t i, j, k, p, q, r, at, how = s.g[12]
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    cdef double total
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                total = start_of(how)
                for p in range(s.g[3]):
                    for q in range(s.g[4]):
                        for r in range(s.g[5]):
                            at = (i + p) * s.g[6] + (j + q) * s.g[7] + (k + r) * s.g[8]
                            total = taken(total, x[at], how)
                if how == 0:
                    total /= s.g[3] * s.g[4] * s.g[5]
                y[i * s.g[9] + j * s.g[10] + k * s.g[11]] = <float>total


cdef void reduce_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, k, p, q, l
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    cdef float* y
    cdef float count = s.g[3] * s.g[4] * s.g[5]
    cdef int how = <int>s.g[12]
    cdef bint is_long = how < 2 and s.g[3] * s.g[4] * s.g[5] > _csrc.SHORT_SUM
    cdef _csrc.sum_args run = terms(s.g[3], s.g[4], s.g[5], s.g[6], s.g[7], s.g[8])
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                y = arena + s.dst + (i * s.g[9] + j * s.g[10] + k * s.g[11]) * L
                run.x = x + (i * s.g[6] + j * s.g[7] + k * s.g[8]) * L
                if is_long:
                    isa.long_sum_f32(&run, y)
                else:
                    isa.fill_f32(1, start_of(how), y)
                    for p in range(s.g[3]):
                        for q in range(s.g[4]):
                            isa.reduce_f32(s.g[5], run.x + (p * s.g[6] + q * s.g[7]) * L, s.g[8], y, how)
                if how == 0:
                    for l in range(L):
                        y[l] /= count


cdef void normalize_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    # as reduce; the kept part of axis 0 goes in steps of a group
    cdef Py_ssize_t i, j, k, p, q, r, step = s.g[6]
    cdef const float* x
    cdef float* y
    cdef const float* scale
    cdef const float* shift
    cdef double mean, variance, centered, count = s.g[3] * s.g[4] * s.g[5]
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                x = operand(s, 0, arena) + i * step * s.g[7] + j * s.g[8] + k * s.g[9]
                y = arena + s.dst + i * step * s.g[10] + j * s.g[11] + k * s.g[12]
                scale = s.p[0] + i * step * s.g[13] + j * s.g[14] + k * s.g[15]
                shift = s.p[1] + i * step * s.g[13] + j * s.g[14] + k * s.g[15]
                mean = 0
                for p in range(s.g[3]):
                    for q in range(s.g[4]):
                        for r in range(s.g[5]):
                            mean += x[p * s.g[7] + q * s.g[8] + r * s.g[9]]
                mean /= count
                variance = 0
                for p in range(s.g[3]):
                    for q in range(s.g[4]):
                        for r in range(s.g[5]):
                            centered = x[p * s.g[7] + q * s.g[8] + r * s.g[9]] - mean
                            variance += centered * centered
                variance = variance / count + s.f[0]
                for p in range(s.g[3]):
                    for q in range(s.g[4]):
                        for r in range(s.g[5]):
                            y[p * s.g[10] + q * s.g[11] + r * s.g[12]] = <float>(
                                (x[p * s.g[7] + q * s.g[8] + r * s.g[9]] - mean) / sqrt(variance)
                                * scale[p * s.g[13] + q * s.g[14] + r * s.g[15]]
                                + shift[p * s.g[13] + q * s.g[14] + r * s.g[15]])


cdef void normalize_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, k, p, q, step = s.g[6], w
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x
    cdef float* y
    cdef _csrc.sum_args run = terms(s.g[3], s.g[4], s.g[5], s.g[7], s.g[8], s.g[9])
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                x = run.x = operand(s, 0, arena) + (i * step * s.g[7] + j * s.g[8] + k * s.g[9]) * L
                y = arena + s.dst + (i * step * s.g[10] + j * s.g[11] + k * s.g[12]) * L
                isa.statistics_f32(&run, s.f[0], arena + s.workspace)
                for p in range(s.g[3]):
                    for q in range(s.g[4]):
                        w = (i * step + p) * s.g[13] + (j + q) * s.g[14] + k * s.g[15]
                        isa.normalize_f32(s.g[5], x + (p * s.g[7] + q * s.g[8]) * L, s.g[9],
                                          y + (p * s.g[10] + q * s.g[11]) * L, s.g[12], arena + s.workspace,
                                          s.p[0] + w, s.p[1] + w, s.g[15])


cdef void gather_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j, k
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                y[i * s.g[3] + j * s.g[4] + k * s.g[5]] = x[s.t[0][i] + s.t[1][j] + s.t[2][k]]


cdef void gather_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef const float* x = operand(s, 0, arena)
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            isa.gather_f32(s.g[2], x + (<Py_ssize_t>s.t[0][i] + s.t[1][j]) * L, s.t[2],
                           arena + s.dst + (i * s.g[3] + j * s.g[4]) * L, s.g[5])


cdef void resize_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t OH = s.g[1], OW = s.g[2], KH = s.g[3], KW = s.g[4], c, i, j, p, q
    cdef const float* x
    cdef float* y = arena + s.dst
    cdef float total
    for c in range(s.g[0]):
        x = operand(s, 0, arena) + c * s.g[5]
        for i in range(OH):
            for j in range(OW):
                total = 0
                for p in range(KH):
                    for q in range(KW):
                        total += (s.p[0][i * KH + p] * s.p[1][j * KW + q]
                                  * x[s.t[0][i * KH + p] + s.t[1][j * KW + q]])
                y[c * s.g[6] + i * s.g[7] + j] = total


cdef void resize_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t OH = s.g[1], c, i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.resize_args run
    run.OW, run.KH, run.KW, run.cols, run.col_weight = s.g[2], s.g[3], s.g[4], s.t[1], s.p[1]
    for c in range(s.g[0]):
        run.x = operand(s, 0, arena) + c * s.g[5] * L
        for i in range(OH):
            run.rows = s.t[0] + i * run.KH
            run.row_weight = s.p[0] + i * run.KH
            run.y = arena + s.dst + (c * s.g[6] + i * s.g[7]) * L
            isa.resize_f32(&run)


cdef void matmul_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t K = s.g[2], i, m, o, k
    cdef const float* a = operand(s, 0, arena)             # (B, M, K) through strides, 0 where it is repeated
    cdef const float* b = operand(s, 1, arena)             # (B, K, O) through strides
    cdef float* y = arena + s.dst                          # (B, M, O) through strides
    cdef float total
    for i in range(s.g[0]):
        for m in range(s.g[1]):
            for o in range(s.g[3]):
                total = 0
                for k in range(K):
                    total += (a[i * s.g[4] + m * s.g[5] + k * s.g[6]]
                              * b[i * s.g[7] + k * s.g[8] + o * s.g[9]])
                y[i * s.g[10] + m * s.g[11] + o * s.g[12]] = total


cdef void matmul_f32_chwn_direct(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t L = isa.lanes
    cdef _csrc.matmul_args run
    run.M, run.K, run.O = s.g[1], s.g[2], s.g[3]
    run.a_m, run.a_k, run.b_k, run.b_o, run.y_m, run.y_o = s.g[5], s.g[6], s.g[8], s.g[9], s.g[11], s.g[12]
    for i in range(s.g[0]):
        run.a = operand(s, 0, arena) + i * s.g[4] * L
        run.b = operand(s, 1, arena) + i * s.g[7] * L
        run.y = arena + s.dst + i * s.g[10] * L
        isa.matmul_f32(&run)
