# Batch-norm between two phases of a step of training: from sums over each image to what the next phase computes with.

cdef enum:
    NORMS_AT_ONCE = 8                      # channels


cdef struct Norm:
    # a batch-norm between two phases
    bint backward
    Py_ssize_t C
    Py_ssize_t count                       # elements of a channel of one image
    Py_ssize_t sums                        # offset of (C, 2) vectors in the memory of a group
    double eps
    double momentum
    float* scale
    float* shift
    float* running_mean
    float* running_var
    float* front                           # (C, 4): y = x * [0] + [1]; the mean of the batch; 1 / sqrt(var + eps)
    float* back                            # (C, 4), see norm_back_f32
    float* dscale                          # NULL where it is not trained
    float* dshift


cdef struct Batch:
    Py_ssize_t N
    Py_ssize_t groups
    Py_ssize_t chunks
    Py_ssize_t per_chunk                   # groups of a chunk


cdef struct Sums:
    # of one channel over the batch, or of the distances of the images' means
    double first
    double second


cdef void channel_sums(const Norm* n, const Batch* b, const float* memory, Py_ssize_t size, int L, Py_ssize_t c,
                       int channels, const double* means, Sums* sums) noexcept nogil:
    # Sums over the images, in their order, of both numbers that each has; or, with means of the batch, of the second
    # number and the squared distance of its own mean. Several channels at once: each addition waits for the one before.
    cdef Py_ssize_t group, l
    cdef int k
    cdef double d
    cdef const float* at
    for k in range(channels):
        sums[k].first = sums[k].second = 0
    for group in range(b.groups):
        at = memory + group * size + n.sums + 2 * c * L
        for l in range(min(<Py_ssize_t>L, b.N - group * L)):
            if means == NULL:
                for k in range(channels):
                    sums[k].first += at[2 * k * L + l]
                    sums[k].second += at[(2 * k + 1) * L + l]
            else:
                for k in range(channels):
                    d = at[2 * k * L + l] / <double>n.count - means[k]
                    sums[k].second += at[(2 * k + 1) * L + l] + n.count * d * d


cdef void norm_forward(const Norm* n, const Batch* batch, const float* memory, Py_ssize_t size, int L) noexcept nogil:
    # Mean and variance of the batch from those of each image (Chan, Golub and LeVeque, 1979).
    cdef Py_ssize_t block, first, c
    cdef int k, channels
    cdef double var, elements = <double>batch.N * n.count
    cdef double[NORMS_AT_ONCE] means
    cdef Sums[NORMS_AT_ONCE] sums
    for block in range(blocks_of(n.C, NORMS_AT_ONCE)):
        first = block * NORMS_AT_ONCE
        channels = <int>min(<Py_ssize_t>NORMS_AT_ONCE, n.C - first)
        channel_sums(n, batch, memory, size, L, first, channels, NULL, sums)
        for k in range(channels):
            means[k] = sums[k].first / elements
        channel_sums(n, batch, memory, size, L, first, channels, means, sums)
        for k in range(channels):
            c = first + k
            var = sums[k].second / elements
            n.front[4 * c] = <float>(n.scale[c] / sqrt(var + n.eps))
            n.front[4 * c + 1] = <float>(n.shift[c] - means[k] * n.scale[c] / sqrt(var + n.eps))
            n.front[4 * c + 2] = <float>means[k]
            n.front[4 * c + 3] = <float>(1 / sqrt(var + n.eps))
            var = sums[k].second / max(elements - 1, 1)
            n.running_mean[c] = <float>((1 - n.momentum) * n.running_mean[c] + n.momentum * means[k])
            n.running_var[c] = <float>((1 - n.momentum) * n.running_var[c] + n.momentum * var)


cdef void norm_backward(const Norm* n, const Batch* batch, const float* memory, Py_ssize_t size, int L) noexcept nogil:
    # dx = scale * inverse * (dy - mean(dy) - (x - mean) * inverse**2 * mean(dy * (x - mean)))
    cdef Py_ssize_t block, first, c
    cdef int k, channels
    cdef double elements = <double>batch.N * n.count, factor, inverse
    cdef Sums[NORMS_AT_ONCE] sums
    for block in range(blocks_of(n.C, NORMS_AT_ONCE)):
        first = block * NORMS_AT_ONCE
        channels = <int>min(<Py_ssize_t>NORMS_AT_ONCE, n.C - first)
        channel_sums(n, batch, memory, size, L, first, channels, NULL, sums)
        for k in range(channels):
            c = first + k
            inverse = n.front[4 * c + 3]
            factor = n.scale[c] * inverse
            n.back[4 * c] = <float>factor
            n.back[4 * c + 1] = <float>(-factor * inverse * inverse * sums[k].second / elements)
            n.back[4 * c + 2] = <float>(-factor * sums[k].first / elements)
            n.back[4 * c + 3] = n.front[4 * c + 2]
            if n.dscale != NULL:
                n.dscale[c] = <float>(sums[k].second * inverse / batch.N)
            if n.dshift != NULL:
                n.dshift[c] = <float>(sums[k].first / batch.N)
