# The textbook loop nests: one image, layout nchw, no tricks. They are the second opinion of the tests and the baseline
# of the benchmarks. Each unpacks its geometry in the order of _TABLE (in kernels/table.pxi).


cdef void conv2d_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], OC = s.g[3], OH = s.g[4], OW = s.g[5]
    cdef Py_ssize_t KH = s.g[6], KW = s.g[7], SH = s.g[8], SW = s.g[9], PT = s.g[10], PL = s.g[11]
    cdef Py_ssize_t DH = s.g[12], DW = s.g[13], groups = s.g[14]
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef const float* weight = s.p[0]                      # (OC, C / groups, KH, KW)
    cdef const float* bias = s.p[1]                        # (OC,)
    cdef float* y = arena + s.dst                          # (OC, OH, OW)
    cdef Py_ssize_t per_group = C // groups, first, o, c, i, j, p, q, row, col
    cdef float total
    for o in range(OC):
        first = o // (OC // groups) * per_group
        for i in range(OH):
            for j in range(OW):
                total = bias[o] if bias != NULL else 0
                for c in range(per_group):
                    for p in range(KH):
                        row = i * SH + p * DH - PT
                        if row < 0 or row >= H:
                            continue
                        for q in range(KW):
                            col = j * SW + q * DW - PL
                            if col < 0 or col >= W:
                                continue
                            total += (weight[((o * per_group + c) * KH + p) * KW + q]
                                      * x[((first + c) * H + row) * W + col])
                y[(o * OH + i) * OW + j] = total


cdef void linear_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t F = s.g[0], O = s.g[1], o, f
    cdef const float* x = operand(s, 0, arena)             # (F,)
    cdef const float* weight = s.p[0]                      # (O, F)
    cdef const float* bias = s.p[1]                        # (O,)
    cdef float* y = arena + s.dst                          # (O,)
    cdef float total
    for o in range(O):
        total = bias[o] if bias != NULL else 0
        for f in range(F):
            total += weight[o * F + f] * x[f]
        y[o] = total


cdef inline float larger(float a, float b) noexcept nogil:
    # NaN wins, as in numpy.maximum
    return b if b > a or b != b else a


cdef inline Py_ssize_t first_tap(Py_ssize_t start, Py_ssize_t dilation) noexcept nogil:
    # the first tap of a window from `start` on that lies inside the image: a window may be far larger than that
    return (-start + dilation - 1) // dilation if start < 0 else 0


cdef inline Py_ssize_t last_tap(Py_ssize_t start, Py_ssize_t taps, Py_ssize_t dilation, Py_ssize_t size) noexcept nogil:
    # the one behind the last
    return min(taps, (size - 1 - start) // dilation + 1) if start < size else 0


cdef void max_pool_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], OH = s.g[3], OW = s.g[4]
    cdef Py_ssize_t KH = s.g[5], KW = s.g[6], SH = s.g[7], SW = s.g[8], PT = s.g[9], PL = s.g[10]
    cdef Py_ssize_t DH = s.g[11], DW = s.g[12]
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef float* y = arena + s.dst                          # (C, OH, OW)
    cdef Py_ssize_t c, i, j, p, q, row, col
    cdef float best
    for c in range(C):
        for i in range(OH):
            for j in range(OW):
                best = -INFINITY
                for p in range(first_tap(i * SH - PT, DH), last_tap(i * SH - PT, KH, DH, H)):
                    row = i * SH + p * DH - PT
                    for q in range(first_tap(j * SW - PL, DW), last_tap(j * SW - PL, KW, DW, W)):
                        col = j * SW + q * DW - PL
                        best = larger(best, x[(c * H + row) * W + col])
                y[(c * OH + i) * OW + j] = best


cdef void avg_pool_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], H = s.g[1], W = s.g[2], OH = s.g[3], OW = s.g[4]
    cdef Py_ssize_t KH = s.g[5], KW = s.g[6], SH = s.g[7], SW = s.g[8], PT = s.g[9], PL = s.g[10]
    cdef Py_ssize_t DH = s.g[11], DW = s.g[12]
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef const float* divisor = s.p[0]                     # (OH, OW)
    cdef float* y = arena + s.dst                          # (C, OH, OW)
    cdef Py_ssize_t c, i, j, p, q, row, col
    cdef double total
    for c in range(C):
        for i in range(OH):
            for j in range(OW):
                total = 0
                for p in range(first_tap(i * SH - PT, DH), last_tap(i * SH - PT, KH, DH, H)):
                    row = i * SH + p * DH - PT
                    for q in range(first_tap(j * SW - PL, DW), last_tap(j * SW - PL, KW, DW, W)):
                        col = j * SW + q * DW - PL
                        total += x[(c * H + row) * W + col]
                y[(c * OH + i) * OW + j] = <float>(total / divisor[i * OW + j])


cdef void global_avg_pool_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], HW = s.g[1], c, i
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef float* y = arena + s.dst                          # (C,)
    cdef double total
    for c in range(C):
        total = 0
        for i in range(HW):
            total += x[c * HW + i]
        y[c] = <float>(total / HW)


cdef void global_max_pool_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], HW = s.g[1], c, i
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef float* y = arena + s.dst                          # (C,)
    cdef float best
    for c in range(C):
        best = x[c * HW]
        for i in range(1, HW):
            best = larger(best, x[c * HW + i])
        y[c] = best


cdef void affine_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], HW = s.g[1], c, i
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef const float* factor = s.p[0]                      # (C,)
    cdef const float* shift = s.p[1]                       # (C,)
    cdef float* y = arena + s.dst                          # (C, H, W)
    for c in range(C):
        for i in range(HW):
            y[c * HW + i] = x[c * HW + i] * factor[c] + shift[c]


cdef void prelu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], HW = s.g[1], c, i
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef const float* slope = s.p[0]                       # (C,)
    cdef float* y = arena + s.dst                          # (C, H, W)
    for c in range(C):
        for i in range(HW):
            y[c * HW + i] = slope[c] * x[c * HW + i] if x[c * HW + i] < 0 else x[c * HW + i]


cdef inline float clip(float x, float low, float high) noexcept nogil:
    # written so that NaN passes
    if x < low:
        return low
    return high if x > high else x


cdef void relu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = 0 if x[i] < 0 else x[i]


cdef void clip_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = clip(x[i], s.f[0], s.f[1])


cdef void leaky_relu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = s.f[0] * x[i] if x[i] < 0 else x[i]


cdef void elu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = s.f[0] * expm1f(x[i]) if x[i] < 0 else x[i]


cdef inline float sigmoid(float x) noexcept nogil:
    # exp only ever sees a number that is not positive, so it cannot overflow
    cdef float small = expf(-fabsf(x))
    return small / (1 + small) if x < 0 else 1 / (1 + small)


cdef void sigmoid_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = sigmoid(x[i])


cdef void tanh_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = tanhf(x[i])


cdef void hard_sigmoid_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = clip(s.f[0] * x[i] + s.f[1], 0, 1)


cdef void hard_swish_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = x[i] * clip(x[i] / 6 + 0.5, 0, 1)


cdef void silu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = x[i] * sigmoid(x[i])


cdef void gelu_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = x[i] / 2 * (1 + erff(x[i] * <float>0.7071067811865476))


cdef void gelu_tanh_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = x[i] / 2 * (1 + tanhf(<float>0.7978845608028654 * (x[i] + <float>0.044715 * x[i] * x[i] * x[i])))


cdef inline float row_maximum(const float* x, Py_ssize_t K, Py_ssize_t inner) noexcept nogil:
    cdef float best = x[0]
    cdef Py_ssize_t k
    for k in range(1, K):
        best = larger(best, x[k * inner])
    return best


cdef void softmax_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t outer = s.g[0], K = s.g[1], inner = s.g[2], o, i, k, at
    cdef const float* x = operand(s, 0, arena)             # (outer, K, inner)
    cdef float* y = arena + s.dst
    cdef float best, total
    for o in range(outer):
        for i in range(inner):
            at = o * K * inner + i
            best = row_maximum(x + at, K, inner)
            total = 0
            for k in range(K):
                y[at + k * inner] = expf(x[at + k * inner] - best)
                total += y[at + k * inner]
            for k in range(K):
                y[at + k * inner] /= total


cdef void log_softmax_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t outer = s.g[0], K = s.g[1], inner = s.g[2], o, i, k, at
    cdef const float* x = operand(s, 0, arena)             # (outer, K, inner)
    cdef float* y = arena + s.dst
    cdef float best, total
    for o in range(outer):
        for i in range(inner):
            at = o * K * inner + i
            best = row_maximum(x + at, K, inner)
            total = 0
            for k in range(K):
                total += expf(x[at + k * inner] - best)
            total = logf(total)
            for k in range(K):
                y[at + k * inner] = x[at + k * inner] - best - total


cdef void add_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], C = s.g[2], i, j, k
    cdef const float* a = operand(s, 0, arena)             # (A, B, C) through strides, 0 where it broadcasts
    cdef const float* b = operand(s, 1, arena)             # (A, B, C) through strides
    cdef float* y = arena + s.dst                          # (A, B, C)
    for i in range(A):
        for j in range(B):
            for k in range(C):
                y[(i * B + j) * C + k] = (a[i * s.g[3] + j * s.g[4] + k * s.g[5]]
                                          + b[i * s.g[6] + j * s.g[7] + k * s.g[8]])


cdef void mul_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t A = s.g[0], B = s.g[1], C = s.g[2], i, j, k
    cdef const float* a = operand(s, 0, arena)             # (A, B, C) through strides, 0 where it broadcasts
    cdef const float* b = operand(s, 1, arena)             # (A, B, C) through strides
    cdef float* y = arena + s.dst                          # (A, B, C)
    for i in range(A):
        for j in range(B):
            for k in range(C):
                y[(i * B + j) * C + k] = (a[i * s.g[3] + j * s.g[4] + k * s.g[5]]
                                          * b[i * s.g[6] + j * s.g[7] + k * s.g[8]])


cdef void fill_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t i
    cdef float* y = arena + s.dst
    for i in range(s.g[0]):
        y[i] = s.f[0]


cdef void copy_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    # one block of A x B x C elements, through strides on both sides: concat, pad and transpose are made of it
    cdef Py_ssize_t i, j, k
    cdef const float* x = operand(s, 0, arena)
    cdef float* y = arena + s.dst + s.g[9]
    for i in range(s.g[0]):
        for j in range(s.g[1]):
            for k in range(s.g[2]):
                y[i * s.g[6] + j * s.g[7] + k * s.g[8]] = x[i * s.g[3] + j * s.g[4] + k * s.g[5]]


cdef void lrn_f32_nchw_naive(const Step* s, float* arena) noexcept nogil:
    cdef Py_ssize_t C = s.g[0], HW = s.g[1], size = s.g[2], c, i, k, first, last
    cdef const float* x = operand(s, 0, arena)             # (C, H, W)
    cdef float* y = arena + s.dst                          # (C, H, W)
    cdef float energy
    for c in range(C):
        first = max(<Py_ssize_t>0, c - (size - 1) // 2)
        last = min(C - 1, c + size // 2)
        for i in range(HW):
            energy = 0
            for k in range(first, last + 1):
                energy += x[k * HW + i] * x[k * HW + i]
            y[c * HW + i] = x[c * HW + i] / powf(s.f[2] + s.f[0] / size * energy, s.f[1])
