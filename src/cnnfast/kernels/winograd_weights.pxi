# The weights of a convolution by Winograd, transformed when a network is planned: input channel by input channel.


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
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef float* y
    if (n, K) not in ((6, 3), (8, 5)) or weight.shape[2] != K * K or out.shape[0] != total * C * n * n:
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
            isa.winograd_f64_weights(&weight[first, c, 0], C * K * K, <int>K, &g[0, 0], last - first, y + c * places,
                                     element)
