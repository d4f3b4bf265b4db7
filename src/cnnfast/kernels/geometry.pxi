# The geometry of each kernel, by name: a struct laid over `Step.geometry`, whole numbers first, then real attributes.
# These are the only lists of the names: `KERNELS` takes them from here, and so planner, tests and documentation.
# Sizes have capital letters, strides small ones. A field that several structs have means the same in all of them.

# ---- layout nchw: contiguous values of one image

cdef struct NchwConv2d:
    Py_ssize_t C, H, W, OC, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW, groups

cdef struct Matrix:
    # features and outputs of a dense layer
    Py_ssize_t F, O

cdef struct NchwPool:
    Py_ssize_t C, H, W, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW

cdef struct PerChannel:
    Py_ssize_t C, HW

cdef struct NchwLrn:
    Py_ssize_t C, HW, size
    float alpha, beta, bias

cdef struct Count:
    Py_ssize_t count

cdef struct Clip:
    Py_ssize_t count
    float low, high

cdef struct LeakyRelu:
    Py_ssize_t count
    float slope

cdef struct Elu:
    Py_ssize_t count
    float alpha

cdef struct HardSigmoid:
    Py_ssize_t count
    float alpha, beta

cdef struct Fill:
    Py_ssize_t count
    float value

cdef struct NchwSoftmax:
    Py_ssize_t outer, K, inner

# ---- every layout: strides of axes 0, 1, 2, or of channels (_c) and rows (_r)

cdef struct Broadcast:
    # two operands, with strides of 0 where one is repeated
    Py_ssize_t A, B, C, a0, a1, a2, b0, b1, b2, y0, y1

cdef struct Copy:
    # `at`: where the result begins
    Py_ssize_t A, B, C, a0, a1, a2, y0, y1, y2, at

cdef struct Rows:
    # a function of single elements, over rows
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r

cdef struct Function:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, which
    float f0

cdef struct Reduce:
    # sizes of what is kept and of what becomes one number, in any order of the axes
    Py_ssize_t K0, K1, K2, R0, R1, R2, x0, x1, x2, y0, y1, y2, how

cdef struct Normalize:
    Py_ssize_t K0, K1, K2, R0, R1, R2, step, x0, x1, x2, y0, y1, y2, w0, w1, w2
    float eps

cdef struct MatMul:
    # B products of a (M, K) and b (K, O)
    Py_ssize_t B, M, K, O, a0, a1, a2, b0, b1, b2, y0, y1, y2

cdef struct Gather:
    Py_ssize_t A, B, C, y0, y1, y2

cdef struct Resize:
    Py_ssize_t C, OH, OW, KH, KW, x_c, y_c, y_r

# ---- layouts chwn<L> and nchw<L>c: strides count vectors; act, f0, f1 are an activation

cdef struct Direct:
    # `tap_sets`: how many times there are K taps, each for an equal part of the positions; 1 unless OC is 1
    Py_ssize_t groups, K, OC, x_group, y_c, positions, pool, act, r_c, block, resume, tap_sets
    float f0, f1

cdef struct Winograd:
    # `by_columns`: whether all output channels go through one column of the transform after the other
    Py_ssize_t C, OC, x_c, x_r, y_c, y_r, tiles, pool, act, r_c, r_r, by_columns
    float f0, f1

cdef struct Dense:
    # `turned`: how many of the O channels, from the first on, are computed by turned tiles
    Py_ssize_t K, O, y_c, act, r_c, turned
    float f0, f1

cdef struct Pool:
    Py_ssize_t C, H, W, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW, x_c, x_r, y_c, y_r

cdef struct GlobalPool:
    Py_ssize_t C, H, W, x_c, x_r, y_c

cdef struct Activate:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, act
    float f0, f1

cdef struct Softmax:
    Py_ssize_t A, B, K, x0, x1, x2, y0, y1, y2

cdef struct FillRows:
    Py_ssize_t C, H, W, y_c, y_r
    float value

cdef struct Halo:
    Py_ssize_t C, H, W, y_c, y_r, top, left, bottom, right

cdef struct Lrn:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, size
    float alpha, beta, bias

cdef struct DirectNchwc:
    # `vectors`: the most output channels of a tile, in vectors
    Py_ssize_t K, OC, y_c, positions, pool, act, r_c, vectors
    float f0, f1

cdef struct Grouped:
    Py_ssize_t C, K, x_c, y_c, positions, pool, act, r_c
    float f0, f1

cdef struct WinogradNchwc:
    # `at_once`: tiles of a run
    Py_ssize_t C, OC, x_c, x_r, y_c, y_r, tiles, pool, act, r_c, r_r, vectors, at_once
    float f0, f1

cdef struct DenseNchwc:
    Py_ssize_t K, O, y_c, act, r_c, vectors
    float f0, f1

# ---- integers, layout chwn<L>: C and blocks count four channels each, except in (de)quantize; zero, low, high: bytes

cdef struct Int8Dense:
    # `channels`: of the result, not filled up; `to_float`: whether sums become floats; `wide`: whether they may become
    # numbers of more than 32 bits; `shifted`: whether they may begin with 2^23, as in csrc/int8/requantize.inc
    Py_ssize_t blocks, K, y_c, r_c, channels, zero, low, high, wide, shifted, to_float, r_zero
    float r_m

cdef struct Int8Direct:
    # begins as Int8Dense
    Py_ssize_t blocks, K, y_c, r_c, channels, zero, low, high, wide, shifted, to_float, r_zero, positions, pool, block
    float r_m

cdef struct Int8Depthwise:
    # begins as Int8Dense
    Py_ssize_t blocks, K, y_c, r_c, channels, zero, low, high, wide, shifted, to_float, r_zero, positions, pool, x_block
    Py_ssize_t rows, columns
    float r_m

cdef struct Int8DenseMatrix:
    # begins as Int8Dense; `rows`: output channels of a matrix tile; the words of a sum in `chunks` of `depth` that are
    # `x_step` apart
    Py_ssize_t blocks, K, y_c, r_c, channels, zero, low, high, wide, shifted, to_float, r_zero
    Py_ssize_t rows, chunks, depth, x_step
    float r_m

cdef struct Int8Matrix:
    # begins as Int8DenseMatrix; with `planes`, the words of that many blocks of channels are brought together for each
    # pixel of (height, width) from `x_from` on: for each block of positions `block_height` rows, `block_step` lower
    Py_ssize_t blocks, K, y_c, r_c, channels, zero, low, high, wide, shifted, to_float, r_zero
    Py_ssize_t rows, chunks, depth, x_step
    Py_ssize_t positions, pool, block, planes, x_c, x_r, x_from, width, height, block_height, block_step
    float r_m

cdef struct Int8AvgPool:
    Py_ssize_t C, H, W, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW, x_c, x_r, y_c, y_r, x_zero, zero, low, high

cdef struct Int8Pair:
    # `a_spread`: whether its first channel is that of all
    Py_ssize_t A, B, C, a0, a1, a2, b0, b1, b2, y0, y1, a_spread, b_spread, a_zero, b_zero, zero, low, high
    float a_m, b_m

cdef struct Int8Lookup:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, by_channel

cdef struct Int8Quantize:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, zero
    float m

cdef struct Int8Halo:
    Py_ssize_t C, H, W, y_c, y_r, top, left, bottom, right, value

# ---- integers, layout nchw<L>c: strides count pixels of L bytes, or vectors of floats

cdef struct Int8Nchwc:
    # `vectors`: as in DirectNchwc; `taps_c`: from the taps of one vector of output channels to those of the next, or 0
    Py_ssize_t OC, K, y_c, r_c, zero, low, high, wide, to_float, r_zero, positions, pool, vectors, taps_c
    float r_m

cdef struct Int8DepthwiseNchwc:
    # begins as Int8Nchwc
    Py_ssize_t OC, K, y_c, r_c, zero, low, high, wide, to_float, r_zero, positions, pool, x_c
    float r_m

# ---- training

cdef struct DirectWeight:
    Py_ssize_t groups, K, OC, x_group, y_c, positions, block

cdef struct WinogradWeight:
    Py_ssize_t C, OC, x_c, x_r, dy_c, dy_r, tiles, swap, block_rows, block_columns

cdef struct AffineActivate:
    Py_ssize_t C, H, W, x_c, x_r, r_c, r_r, y_c, y_r, relu

cdef struct ChannelSums:
    Py_ssize_t C, H, W, x_c, x_r

cdef struct NormSums:
    Py_ssize_t C, H, W, x_c, x_r, dy_c, dy_r, relu

cdef struct RowsBack:
    Py_ssize_t C, H, W, x_c, x_r, dy_c, dy_r, y_c, y_r

cdef struct ActivateBack:
    Py_ssize_t C, H, W, x_c, x_r, dy_c, dy_r, y_c, y_r, act
    float f0, f1

cdef struct LeakyBack:
    Py_ssize_t C, H, W, x_c, x_r, dy_c, dy_r, y_c, y_r, slope_c

cdef struct LrnBack:
    Py_ssize_t C, H, W, x_c, x_r, dy_c, dy_r, y_c, y_r, size
    float alpha, beta, bias

cdef struct Accumulate:
    Py_ssize_t A, B, C, a0, a1, a2, y0, y1, y2

cdef struct MultiplyAdd:
    Py_ssize_t A, B, C, a0, a1, a2, b0, b1, b2, y0, y1, y2

cdef struct Dropout:
    Py_ssize_t C, H, W, x_c, x_r, y_c, y_r, threshold
    float scale

cdef struct Loss:
    Py_ssize_t K

cdef struct SoftmaxBack:
    Py_ssize_t A, B, K, a0, a1, a2, b0, b1, b2, y0, y1, y2, log

cdef struct PoolBack:
    Py_ssize_t C, H, W, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW, x_c, x_r, y_c, y_r, dy_c, dy_r, dx_c, dx_r

cdef struct GlobalPoolBack:
    Py_ssize_t C, H, W, dy_c, y_c, y_r
