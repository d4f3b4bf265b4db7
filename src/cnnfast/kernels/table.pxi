# Every kernel by name, with the names of its geometry (ints) and of its real attributes (floats), in the order in which
# the kernel unpacks them. Planner, tests, benchmarks and the documentation all read this one list.

CONV = "C H W OC OH OW KH KW SH SW PT PL DH DW groups"
POOL = "C H W OH OW KH KW SH SW PT PL DH DW"
BROADCAST = "A B C a0 a1 a2 b0 b1 b2"
COPY = "A B C a0 a1 a2 y0 y1 y2 at"

# of images in the lanes: strides of channels (_c) and rows (_r), in vectors
WINOGRAD = "C OC x_c x_r y_c y_r tiles pool act r_c r_r"
ROWS = "C H W x_c x_r y_c y_r"
GROUPED = "C K x_c y_c positions pool act r_c"

# sizes of what is kept and of what becomes one number, in any order of the axes
REDUCE = "K0 K1 K2 R0 R1 R2 x0 x1 x2 y0 y1 y2 how"
NORMALIZE = "K0 K1 K2 R0 R1 R2 step x0 x1 x2 y0 y1 y2 w0 w1 w2"
# many products of a (M, K) and b (K, O)
MATMUL = "B M K O a0 a1 a2 b0 b1 b2 y0 y1 y2"
GATHER = "A B C y0 y1 y2"
RESIZE = "C OH OW KH KW x_c y_c y_r"

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
    "copy_f32_nchw_naive": (<size_t>copy_f32_nchw_naive, COPY, ""),
    "lrn_f32_nchw_naive": (<size_t>lrn_f32_nchw_naive, "C HW size", "alpha beta bias"),
    "conv2d_f32_chwn_direct": (
        <size_t>conv2d_f32_chwn_direct, "groups K OC x_group y_c positions pool act r_c block resume", "f0 f1"),
    "conv2d_f32_chwn_winograd4x3": (<size_t>conv2d_f32_chwn_winograd4x3, WINOGRAD, "f0 f1"),
    "conv2d_f32_chwn_winograd4x5": (<size_t>conv2d_f32_chwn_winograd4x5, WINOGRAD, "f0 f1"),
    "dense_f32_chwn_direct": (<size_t>dense_f32_chwn_direct, "K O y_c act r_c", "f0 f1"),
    "max_pool_f32_chwn_direct": (<size_t>max_pool_f32_chwn_direct, POOL + " x_c x_r y_c y_r", ""),
    "avg_pool_f32_chwn_direct": (<size_t>avg_pool_f32_chwn_direct, POOL + " x_c x_r y_c y_r", ""),
    "global_avg_pool_f32_chwn_direct": (<size_t>global_avg_pool_f32_chwn_direct, "C H W x_c x_r y_c", ""),
    "global_max_pool_f32_chwn_direct": (<size_t>global_max_pool_f32_chwn_direct, "C H W x_c x_r y_c", ""),
    "affine_f32_chwn_direct": (<size_t>affine_f32_chwn_direct, ROWS, ""),
    "prelu_f32_chwn_direct": (<size_t>prelu_f32_chwn_direct, ROWS, ""),
    "activate_f32_chwn_direct": (<size_t>activate_f32_chwn_direct, ROWS + " act", "f0 f1"),
    "softmax_f32_chwn_direct": (<size_t>softmax_f32_chwn_direct, "A B K x0 x1 x2 y0 y1 y2", ""),
    "log_softmax_f32_chwn_direct": (<size_t>log_softmax_f32_chwn_direct, "A B K x0 x1 x2 y0 y1 y2", ""),
    "add_f32_chwn_direct": (<size_t>add_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "mul_f32_chwn_direct": (<size_t>mul_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "copy_f32_chwn_direct": (<size_t>copy_f32_chwn_direct, COPY, ""),
    "fill_f32_chwn_direct": (<size_t>fill_f32_chwn_direct, "C H W y_c y_r", "value"),
    "halo_f32_chwn_direct": (<size_t>halo_f32_chwn_direct, "C H W y_c y_r top left bottom right", ""),
    "lrn_f32_chwn_direct": (<size_t>lrn_f32_chwn_direct, ROWS + " size", "alpha beta bias"),
    "sub_f32_nchw_naive": (<size_t>sub_f32_nchw_naive, BROADCAST, ""),
    "div_f32_nchw_naive": (<size_t>div_f32_nchw_naive, BROADCAST, ""),
    "maximum_f32_nchw_naive": (<size_t>maximum_f32_nchw_naive, BROADCAST, ""),
    "minimum_f32_nchw_naive": (<size_t>minimum_f32_nchw_naive, BROADCAST, ""),
    "sub_f32_chwn_direct": (<size_t>sub_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "div_f32_chwn_direct": (<size_t>div_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "maximum_f32_chwn_direct": (<size_t>maximum_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "minimum_f32_chwn_direct": (<size_t>minimum_f32_chwn_direct, BROADCAST + " y0 y1", ""),
    "function_f32_nchw_naive": (<size_t>function_f32_nchw_naive, ROWS + " which", "f0"),
    "function_f32_chwn_direct": (<size_t>function_f32_chwn_direct, ROWS + " which", "f0"),
    "matmul_f32_nchw_naive": (<size_t>matmul_f32_nchw_naive, MATMUL, ""),
    "matmul_f32_chwn_direct": (<size_t>matmul_f32_chwn_direct, MATMUL, ""),
    "reduce_f32_nchw_naive": (<size_t>reduce_f32_nchw_naive, REDUCE, ""),
    "reduce_f32_chwn_direct": (<size_t>reduce_f32_chwn_direct, REDUCE, ""),
    "normalize_f32_nchw_naive": (<size_t>normalize_f32_nchw_naive, NORMALIZE, "eps"),
    "normalize_f32_chwn_direct": (<size_t>normalize_f32_chwn_direct, NORMALIZE, "eps"),
    "gather_f32_nchw_naive": (<size_t>gather_f32_nchw_naive, GATHER, ""),
    "gather_f32_chwn_direct": (<size_t>gather_f32_chwn_direct, GATHER, ""),
    "resize_f32_nchw_naive": (<size_t>resize_f32_nchw_naive, RESIZE, ""),
    "resize_f32_chwn_direct": (<size_t>resize_f32_chwn_direct, RESIZE, ""),
    "conv2d_f32_nchwc_direct": (<size_t>conv2d_f32_nchwc_direct, "K OC y_c positions pool act r_c vectors", "f0 f1"),
    "conv2d_f32_nchwc_depthwise": (<size_t>conv2d_f32_nchwc_depthwise, GROUPED, "f0 f1"),
    "conv2d_f32_nchwc_grouped": (<size_t>conv2d_f32_nchwc_grouped, GROUPED, "f0 f1"),
    "conv2d_f32_nchwc_winograd4x3": (<size_t>conv2d_f32_nchwc_winograd4x3, WINOGRAD + " vectors at_once", "f0 f1"),
    "conv2d_f32_nchwc_winograd4x5": (<size_t>conv2d_f32_nchwc_winograd4x5, WINOGRAD + " vectors at_once", "f0 f1"),
    "dense_f32_nchwc_direct": (<size_t>dense_f32_nchwc_direct, "K O y_c act r_c vectors", "f0 f1"),
    "affine_f32_nchwc_direct": (<size_t>affine_f32_nchwc_direct, ROWS, ""),
    "prelu_f32_nchwc_direct": (<size_t>prelu_f32_nchwc_direct, ROWS, ""),
    "softmax_f32_nchwc_direct": (<size_t>softmax_f32_nchwc_direct, ROWS, ""),
    "log_softmax_f32_nchwc_direct": (<size_t>log_softmax_f32_nchwc_direct, ROWS, ""),
    "lrn_f32_nchwc_direct": (<size_t>lrn_f32_nchwc_direct, ROWS + " size", "alpha beta bias"),
    "copy_f32_nchwc_elements": (<size_t>copy_f32_nchwc_elements, "count", ""),
}

KERNELS = {name: (tuple(ints.split()), tuple(floats.split())) for name, (_, ints, floats) in _TABLE.items()}
