# The textbook loop nests: one image, layout nchw, no tricks. They are the second opinion of the tests and the baseline
# of the benchmarks.


cdef void conv2d_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwConv2d* g = <const NchwConv2d*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, OC = g.OC, OH = g.OH, OW = g.OW
    cdef Py_ssize_t KH = g.KH, KW = g.KW, SH = g.SH, SW = g.SW, PT = g.PT, PL = g.PL
    cdef Py_ssize_t DH = g.DH, DW = g.DW, groups = g.groups
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef const float* weight = s.p[0]                      # (OC, C / groups, KH, KW)
    cdef const float* bias = s.p[1]                        # (OC,)
    cdef float* y = result(s, ctx)                          # (OC, OH, OW)
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


cdef void linear_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Matrix* g = <const Matrix*>s.geometry
    cdef Py_ssize_t F = g.F, O = g.O, o, f
    cdef const float* x = operand(s, 0, ctx)             # (F,)
    cdef const float* weight = s.p[0]                      # (O, F)
    cdef const float* bias = s.p[1]                        # (O,)
    cdef float* y = result(s, ctx)                          # (O,)
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
    # the first tap inside the image of a window from `start` on: a window may be far larger than the image
    return (-start + dilation - 1) // dilation if start < 0 else 0


cdef inline Py_ssize_t last_tap(Py_ssize_t start, Py_ssize_t taps, Py_ssize_t dilation, Py_ssize_t size) noexcept nogil:
    # the one behind the last
    return min(taps, (size - 1 - start) // dilation + 1) if start < size else 0


cdef void max_pool_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwPool* g = <const NchwPool*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, OH = g.OH, OW = g.OW
    cdef Py_ssize_t KH = g.KH, KW = g.KW, SH = g.SH, SW = g.SW, PT = g.PT, PL = g.PL
    cdef Py_ssize_t DH = g.DH, DW = g.DW
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef float* y = result(s, ctx)                          # (C, OH, OW)
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


cdef void avg_pool_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwPool* g = <const NchwPool*>s.geometry
    cdef Py_ssize_t C = g.C, H = g.H, W = g.W, OH = g.OH, OW = g.OW
    cdef Py_ssize_t KH = g.KH, KW = g.KW, SH = g.SH, SW = g.SW, PT = g.PT, PL = g.PL
    cdef Py_ssize_t DH = g.DH, DW = g.DW
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef const float* divisor = s.p[0]                     # (OH, OW)
    cdef float* y = result(s, ctx)                          # (C, OH, OW)
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


cdef void global_avg_pool_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const PerChannel* g = <const PerChannel*>s.geometry
    cdef Py_ssize_t C = g.C, HW = g.HW, c, i
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef float* y = result(s, ctx)                          # (C,)
    cdef double total
    for c in range(C):
        total = 0
        for i in range(HW):
            total += x[c * HW + i]
        y[c] = <float>(total / HW)


cdef void global_max_pool_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const PerChannel* g = <const PerChannel*>s.geometry
    cdef Py_ssize_t C = g.C, HW = g.HW, c, i
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef float* y = result(s, ctx)                          # (C,)
    cdef float best
    for c in range(C):
        best = x[c * HW]
        for i in range(1, HW):
            best = larger(best, x[c * HW + i])
        y[c] = best


cdef void affine_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const PerChannel* g = <const PerChannel*>s.geometry
    cdef Py_ssize_t C = g.C, HW = g.HW, c, i
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef const float* factor = s.p[0]                      # (C,)
    cdef const float* shift = s.p[1]                       # (C,)
    cdef float* y = result(s, ctx)                          # (C, H, W)
    for c in range(C):
        for i in range(HW):
            y[c * HW + i] = x[c * HW + i] * factor[c] + shift[c]


cdef void prelu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const PerChannel* g = <const PerChannel*>s.geometry
    cdef Py_ssize_t C = g.C, HW = g.HW, c, i
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef const float* slope = s.p[0]                       # (C,)
    cdef float* y = result(s, ctx)                          # (C, H, W)
    for c in range(C):
        for i in range(HW):
            y[c * HW + i] = slope[c] * x[c * HW + i] if x[c * HW + i] < 0 else x[c * HW + i]


cdef inline float clip(float x, float low, float high) noexcept nogil:
    # written so that NaN passes
    if x < low:
        return low
    return high if x > high else x


cdef void relu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = 0 if x[i] < 0 else x[i]


cdef void clip_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Clip* g = <const Clip*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = clip(x[i], g.low, g.high)


cdef void leaky_relu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const LeakyRelu* g = <const LeakyRelu*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = g.slope * x[i] if x[i] < 0 else x[i]


cdef void elu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Elu* g = <const Elu*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = g.alpha * expm1f(x[i]) if x[i] < 0 else x[i]


cdef inline float sigmoid(float x) noexcept nogil:
    # exp only ever sees a number that is not positive, so it cannot overflow
    cdef float small = expf(-fabsf(x))
    return small / (1 + small) if x < 0 else 1 / (1 + small)


cdef void sigmoid_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = sigmoid(x[i])


cdef void tanh_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = tanhf(x[i])


cdef void hard_sigmoid_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const HardSigmoid* g = <const HardSigmoid*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = clip(g.alpha * x[i] + g.beta, 0, 1)


cdef void hard_swish_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = x[i] * clip(x[i] / 6 + 0.5, 0, 1)


cdef void silu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = x[i] * sigmoid(x[i])


cdef void gelu_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = x[i] / 2 * (1 + erff(x[i] * <float>0.7071067811865476))


cdef void gelu_tanh_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Count* g = <const Count*>s.geometry
    cdef Py_ssize_t i
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = x[i] / 2 * (1 + tanhf(<float>0.7978845608028654 * (x[i] + <float>0.044715 * x[i] * x[i] * x[i])))


cdef inline float row_maximum(const float* x, Py_ssize_t K, Py_ssize_t inner) noexcept nogil:
    cdef float best = x[0]
    cdef Py_ssize_t k
    for k in range(1, K):
        best = larger(best, x[k * inner])
    return best


cdef void softmax_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwSoftmax* g = <const NchwSoftmax*>s.geometry
    cdef Py_ssize_t outer = g.outer, K = g.K, inner = g.inner, o, i, k, at
    cdef const float* x = operand(s, 0, ctx)             # (outer, K, inner)
    cdef float* y = result(s, ctx)
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


cdef void log_softmax_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwSoftmax* g = <const NchwSoftmax*>s.geometry
    cdef Py_ssize_t outer = g.outer, K = g.K, inner = g.inner, o, i, k, at
    cdef const float* x = operand(s, 0, ctx)             # (outer, K, inner)
    cdef float* y = result(s, ctx)
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


cdef void fill_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const Fill* g = <const Fill*>s.geometry
    cdef Py_ssize_t i
    cdef float* y = result(s, ctx)
    for i in range(g.count):
        y[i] = g.value


cdef void copy_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    # one block of A x B x C elements, through strides on both sides: concat, pad and transpose are made of it
    cdef const Copy* g = <const Copy*>s.geometry
    cdef Py_ssize_t i, j, k
    cdef const float* x = operand(s, 0, ctx)
    cdef float* y = result(s, ctx) + g.at
    for i in range(g.A):
        for j in range(g.B):
            for k in range(g.C):
                y[i * g.y0 + j * g.y1 + k * g.y2] = x[i * g.a0 + j * g.a1 + k * g.a2]


cdef void lrn_f32_nchw_naive(const Step* s, const Context* ctx) noexcept nogil:
    cdef const NchwLrn* g = <const NchwLrn*>s.geometry
    cdef Py_ssize_t C = g.C, HW = g.HW, size = g.size, c, i, k, first, last
    cdef const float* x = operand(s, 0, ctx)             # (C, H, W)
    cdef float* y = result(s, ctx)                          # (C, H, W)
    cdef float energy
    for c in range(C):
        first = max(<Py_ssize_t>0, c - (size - 1) // 2)
        last = min(C - 1, c + size // 2)
        for i in range(HW):
            energy = 0
            for k in range(first, last + 1):
                energy += x[k * HW + i] * x[k * HW + i]
            y[c * HW + i] = x[c * HW + i] / powf(g.bias + g.alpha / size * energy, g.beta)
