# The weights of a convolution by Winograd, transformed when a network is planned: in float64, every sum in the order of
# its terms, rounded once.

cdef enum:
    SIDE = 8                               # the largest transform, of 5x5 kernels
    TOGETHER = 8                           # output channels


def transform_weights(const double[:, :, ::1] weight, const double[:, ::1] g, starts, float[::1] out,
                      bint elements_first, int threads):
    """Write the transform ``g w g^T`` of each kernel, for blocks of output channels.

    Parameters
    ----------
    weight : (OC, C, K * K)
    g : (n, K)
    starts : sequence of int
        Where the blocks begin, and at the end OC, or more: then the last block has places that are left as they are.
    out : (places * C * n * n,)
        Each block is (n * n, C, channels), the elements of the transform by columns; with ``elements_first`` each
        element is (blocks, C, channels).
    elements_first : bool
    threads : int
    """
    cdef Py_ssize_t C = weight.shape[1], n = g.shape[0], K = g.shape[1], OC = weight.shape[0], first, last, places, c
    cdef Py_ssize_t element, total = starts[len(starts) - 1]
    cdef float* y
    if n > SIDE or K > n or weight.shape[2] != K * K or out.shape[0] != total * C * n * n:
        raise ValueError(f"weights of ({OC}, {C}, {weight.shape[2]}) do not fit a transform of {n} x {K}")
    if starts[0] != 0 or total < OC:
        raise ValueError(f"blocks from {starts[0]} to {total} are not all {OC} channels")
    threads = affordable(max(threads, 1))
    for index in range(len(starts) - 1):
        first, last = starts[index], min(<Py_ssize_t>starts[index + 1], OC)
        places = starts[index + 1] - first
        y = &out[0] + first * C * (1 if elements_first else n * n)
        element = C * (total if elements_first else places)
        for c in prange(C, nogil=True, schedule="static", num_threads=threads):
            transform_channel(&weight[0, c, 0], C * K * K, K, n, &g[0, 0], first, last, y + c * places, element)


cdef void transform_channel(const double* w, Py_ssize_t w_channel, Py_ssize_t K, Py_ssize_t n, const double* g,
                            Py_ssize_t first, Py_ssize_t last, float* y, Py_ssize_t y_element) noexcept nogil:
    # the kernels of one input channel for some output channels
    cdef Py_ssize_t o = first
    while o < last:
        transform_few(w + o * w_channel, w_channel, K, n, g, min(last - o, <Py_ssize_t>TOGETHER), y + o - first,
                      y_element)
        o += TOGETHER


cdef void transform_few(const double* w, Py_ssize_t w_channel, Py_ssize_t K, Py_ssize_t n, const double* g,
                        Py_ssize_t channels, float* y, Py_ssize_t y_element) noexcept nogil:
    # the kernels of a few output channels and one input channel; the innermost loops have a fixed length
    cdef double[TOGETHER] total
    cdef double[SIDE * SIDE * TOGETHER] x, rows
    cdef Py_ssize_t e, f, i, p, k
    for k in range(K * K):
        for i in range(TOGETHER):
            x[k * TOGETHER + i] = w[min(i, channels - 1) * w_channel + k]
    for p in range(K):
        for e in range(n):
            weighted(g + e * K, x + p * K * TOGETHER, TOGETHER, K, rows + (e * K + p) * TOGETHER)
    for e in range(n):
        for f in range(n):
            weighted(g + f * K, rows + e * K * TOGETHER, TOGETHER, K, total)
            for i in range(channels):
                y[(e * n + f) * y_element + i] = <float>total[i]


cdef inline void weighted(const double* factor, const double* x, Py_ssize_t step, Py_ssize_t terms,
                          double* y) noexcept nogil:
    # the sum of the products, from the first term on
    cdef Py_ssize_t i, k
    for i in range(TOGETHER):
        y[i] = factor[0] * x[i]
    for k in range(1, terms):
        for i in range(TOGETHER):
            y[i] = y[i] + factor[k] * x[k * step + i]
