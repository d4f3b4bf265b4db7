# Every kernel by name, with the names of its geometry (ints) and of its real attributes (floats), in the order in which
# the kernel unpacks them. Planner, tests, benchmarks and the documentation all read this one list.

CONV = "C H W OC OH OW KH KW SH SW PT PL DH DW groups"
POOL = "C H W OH OW KH KW SH SW PT PL DH DW"
BROADCAST = "A B C a0 a1 a2 b0 b1 b2"

cdef dict _TABLE = {
    "conv2d_f32_nchw_naive": (<size_t>conv2d_f32_nchw_naive, CONV, ""),
    "linear_f32_nchw_naive": (<size_t>linear_f32_nchw_naive, "F O", ""),
    "max_pool_f32_nchw_naive": (<size_t>max_pool_f32_nchw_naive, POOL, ""),
    "avg_pool_f32_nchw_naive": (<size_t>avg_pool_f32_nchw_naive, POOL, ""),
    "global_avg_pool_f32_nchw_naive": (<size_t>global_avg_pool_f32_nchw_naive, "C HW", ""),
    "global_max_pool_f32_nchw_naive": (<size_t>global_max_pool_f32_nchw_naive, "C HW", ""),
    "affine_f32_nchw_naive": (<size_t>affine_f32_nchw_naive, "C HW", ""),
    "prelu_f32_nchw_naive": (<size_t>prelu_f32_nchw_naive, "C HW", ""),
    "relu_f32_nchw_naive": (<size_t>relu_f32_nchw_naive, "count", ""),
    "clip_f32_nchw_naive": (<size_t>clip_f32_nchw_naive, "count", "low high"),
    "leaky_relu_f32_nchw_naive": (<size_t>leaky_relu_f32_nchw_naive, "count", "slope"),
    "elu_f32_nchw_naive": (<size_t>elu_f32_nchw_naive, "count", "alpha"),
    "sigmoid_f32_nchw_naive": (<size_t>sigmoid_f32_nchw_naive, "count", ""),
    "tanh_f32_nchw_naive": (<size_t>tanh_f32_nchw_naive, "count", ""),
    "hard_sigmoid_f32_nchw_naive": (<size_t>hard_sigmoid_f32_nchw_naive, "count", "alpha beta"),
    "hard_swish_f32_nchw_naive": (<size_t>hard_swish_f32_nchw_naive, "count", ""),
    "silu_f32_nchw_naive": (<size_t>silu_f32_nchw_naive, "count", ""),
    "gelu_f32_nchw_naive": (<size_t>gelu_f32_nchw_naive, "count", ""),
    "gelu_tanh_f32_nchw_naive": (<size_t>gelu_tanh_f32_nchw_naive, "count", ""),
    "softmax_f32_nchw_naive": (<size_t>softmax_f32_nchw_naive, "outer K inner", ""),
    "log_softmax_f32_nchw_naive": (<size_t>log_softmax_f32_nchw_naive, "outer K inner", ""),
    "add_f32_nchw_naive": (<size_t>add_f32_nchw_naive, BROADCAST, ""),
    "mul_f32_nchw_naive": (<size_t>mul_f32_nchw_naive, BROADCAST, ""),
    "fill_f32_nchw_naive": (<size_t>fill_f32_nchw_naive, "count", "value"),
    "copy_f32_nchw_naive": (<size_t>copy_f32_nchw_naive, "A B C a0 a1 a2 y0 y1 y2 at", ""),
    "lrn_f32_nchw_naive": (<size_t>lrn_f32_nchw_naive, "C HW size", "alpha beta bias"),
}

KERNELS = {name: (tuple(ints.split()), tuple(floats.split())) for name, (_, ints, floats) in _TABLE.items()}
