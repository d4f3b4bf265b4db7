# Parameters in the order in which kernels read them, which a step of training begins with.

def gather(const float[::1] source, const int[::1] index, float[::1] target):
    """Set target[i] = source[index[i]]: how weights are packed again before each step."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(target.shape[0]):
            target[i] = source[index[i]]


def pack_winograd(const float[::1] source, const int[::1] index, const float[::1] g, float[::1] target,
                  Py_ssize_t OC, Py_ssize_t C, int kernel, Py_ssize_t most, int threads):
    """Transform the weights source[index], (OC, C, K, K), as blocks of output channels, each (E, C, channels)."""
    cdef const _csrc.cnnfast_kernels* isa = _csrc.cnnfast_active()
    cdef Py_ssize_t blocks = blocks_of(OC, most), block, first, channels, E = (kernel + 3) * (kernel + 3)
    with nogil:
        for block in prange(blocks, schedule="static", num_threads=threads):
            first = block_start(block, blocks, OC)
            channels = block_start(block + 1, blocks, OC) - first
            isa.winograd_f32_weights(&source[0], &index[first * C * kernel * kernel], C, channels, &g[0],
                                     &target[first * E * C], kernel)
