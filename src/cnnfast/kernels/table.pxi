# The one list of kernels. Program, planner, costs, tests, benchmarks and documentation read these records, and none
# of them reads anything out of a name.

# what a struct of geometry is made from, only to ask it for its fields
cdef Py_ssize_t[MAX_INTS] _blank

# Fields that choose one of several things by number, and how many there are: a program takes no other number.
cdef dict _CHOICES = {
    "act": _csrc.ACT_COUNT, "which": _csrc.FUN_COUNT, "how": _csrc.REDUCE_COUNT,
    "pool": 2, "resume": 2, "relu": 2, "swap": 2, "log": 2,
    **dict.fromkeys("wide shifted to_float a_spread b_spread by_channel".split(), 2),
    **dict.fromkeys("zero low high r_zero x_zero a_zero b_zero".split(), 256),
}


cdef class Kernel:
    """What is known of one kernel.

    Attributes
    ----------
    name : str
        ``<op>_<dtype>_<layout>_<algorithm>``, as `Network.explain` prints it.
    op, dtype, layout, algorithm : str
        ``dtype`` is the type of the values; whatever it is, one takes a word of four bytes.
    ints, floats : tuple of str
        The fields of its geometry: whole numbers and real attributes.
    splits : bool
        Whether several threads can share a step, each computing one part of it.
    needs_barrier : bool
        Whether all steps before it must be done when a thread begins with it.
    trains : bool
        Whether it belongs to training.
    """
    cdef kernel_t run
    cdef object reach                      # what a step can touch: see kernels/reach.pxi
    cdef readonly str name
    cdef readonly str op
    cdef readonly str dtype
    cdef readonly str layout
    cdef readonly str algorithm
    cdef readonly tuple ints
    cdef readonly tuple floats
    cdef readonly bint splits
    cdef readonly bint needs_barrier
    cdef readonly bint trains

    def __cinit__(self, str op, str layout, str algorithm, size_t run, dict geometry, reach, *, str dtype="f32",
                  bint splits=False, bint needs_barrier=True, bint trains=False):
        self.name = f"{op}_{dtype}_{layout}_{algorithm}"
        self.op, self.dtype, self.layout, self.algorithm = op, dtype, layout, algorithm
        self.run, self.reach = <kernel_t>run, reach
        self.ints = tuple(name for name, value in geometry.items() if isinstance(value, int))
        self.floats = tuple(name for name, value in geometry.items() if isinstance(value, float))
        self.splits, self.needs_barrier, self.trains = splits, needs_barrier, trains
        size = len(self.ints) * sizeof(Py_ssize_t) + len(self.floats) * sizeof(float)
        if (*self.ints, *self.floats) != tuple(geometry) or size > sizeof(_blank):
            raise ValueError(f"{self.name}: its fields are not whole numbers, then floats, in {sizeof(_blank)} bytes")

    def __repr__(self):
        return f"<kernel {self.name}>"

    cdef fill(self, void* geometry, ints, floats):
        # lay the numbers into the struct that the kernel reads
        cdef Py_ssize_t* number = <Py_ssize_t*>geometry
        cdef float* attribute = <float*>(number + len(self.ints))
        if set(ints) != set(self.ints) or set(floats) != set(self.floats):
            given = f"{list(ints)}, {list(floats)}"
            raise ValueError(f"{self.name} takes {list(self.ints)} and {list(self.floats)}, but was given {given}")
        for i, name in enumerate(self.ints):
            number[i] = ints[name]
            if name in _CHOICES and not 0 <= number[i] < _CHOICES[name]:
                raise ValueError(f"{self.name}: {name} is {number[i]}, and must be from 0 to {_CHOICES[name] - 1}")
        for i, name in enumerate(self.floats):
            attribute[i] = floats[name]


KERNELS = {kernel.name: kernel for kernel in (
    # layout nchw: the textbook loops
    Kernel("conv2d", "nchw", "naive", <size_t>conv2d_f32_nchw_naive, (<NchwConv2d*>_blank)[0], _nchw_conv2d),
    Kernel("linear", "nchw", "naive", <size_t>linear_f32_nchw_naive, (<Matrix*>_blank)[0], _nchw_linear),
    Kernel("max_pool", "nchw", "naive", <size_t>max_pool_f32_nchw_naive, (<NchwPool*>_blank)[0], _nchw_pool),
    Kernel("avg_pool", "nchw", "naive", <size_t>avg_pool_f32_nchw_naive, (<NchwPool*>_blank)[0], _nchw_avg_pool),
    Kernel("global_avg_pool", "nchw", "naive", <size_t>global_avg_pool_f32_nchw_naive,
           (<PerChannel*>_blank)[0], _nchw_global_pool),
    Kernel("global_max_pool", "nchw", "naive", <size_t>global_max_pool_f32_nchw_naive,
           (<PerChannel*>_blank)[0], _nchw_global_pool),
    Kernel("affine", "nchw", "naive", <size_t>affine_f32_nchw_naive, (<PerChannel*>_blank)[0], _nchw_affine),
    Kernel("prelu", "nchw", "naive", <size_t>prelu_f32_nchw_naive, (<PerChannel*>_blank)[0], _nchw_channels),
    Kernel("relu", "nchw", "naive", <size_t>relu_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("clip", "nchw", "naive", <size_t>clip_f32_nchw_naive, (<Clip*>_blank)[0], _nchw_each),
    Kernel("leaky_relu", "nchw", "naive", <size_t>leaky_relu_f32_nchw_naive, (<LeakyRelu*>_blank)[0], _nchw_each),
    Kernel("elu", "nchw", "naive", <size_t>elu_f32_nchw_naive, (<Elu*>_blank)[0], _nchw_each),
    Kernel("sigmoid", "nchw", "naive", <size_t>sigmoid_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("tanh", "nchw", "naive", <size_t>tanh_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("hard_sigmoid", "nchw", "naive", <size_t>hard_sigmoid_f32_nchw_naive, (<HardSigmoid*>_blank)[0], _nchw_each),
    Kernel("hard_swish", "nchw", "naive", <size_t>hard_swish_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("silu", "nchw", "naive", <size_t>silu_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("gelu", "nchw", "naive", <size_t>gelu_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("gelu_tanh", "nchw", "naive", <size_t>gelu_tanh_f32_nchw_naive, (<Count*>_blank)[0], _nchw_each),
    Kernel("softmax", "nchw", "naive", <size_t>softmax_f32_nchw_naive, (<NchwSoftmax*>_blank)[0], _nchw_softmax),
    Kernel("log_softmax", "nchw", "naive", <size_t>log_softmax_f32_nchw_naive,
           (<NchwSoftmax*>_blank)[0], _nchw_softmax),
    Kernel("add", "nchw", "naive", <size_t>add_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("mul", "nchw", "naive", <size_t>mul_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("fill", "nchw", "naive", <size_t>fill_f32_nchw_naive, (<Fill*>_blank)[0], _nchw_fill),
    Kernel("copy", "nchw", "naive", <size_t>copy_f32_nchw_naive, (<Copy*>_blank)[0], _copy),
    Kernel("lrn", "nchw", "naive", <size_t>lrn_f32_nchw_naive, (<NchwLrn*>_blank)[0], _nchw_lrn),
    Kernel("sub", "nchw", "naive", <size_t>sub_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("div", "nchw", "naive", <size_t>div_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("maximum", "nchw", "naive", <size_t>maximum_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("minimum", "nchw", "naive", <size_t>minimum_f32_nchw_naive, (<Broadcast*>_blank)[0], _binary),
    Kernel("function", "nchw", "naive", <size_t>function_f32_nchw_naive, (<Function*>_blank)[0], _rows),
    Kernel("matmul", "nchw", "naive", <size_t>matmul_f32_nchw_naive, (<MatMul*>_blank)[0], _matmul),
    Kernel("reduce", "nchw", "naive", <size_t>reduce_f32_nchw_naive, (<Reduce*>_blank)[0], _reduce),
    Kernel("normalize", "nchw", "naive", <size_t>normalize_f32_nchw_naive, (<Normalize*>_blank)[0], _normalize),
    Kernel("gather", "nchw", "naive", <size_t>gather_f32_nchw_naive, (<Gather*>_blank)[0], _gather),
    Kernel("resize", "nchw", "naive", <size_t>resize_f32_nchw_naive, (<Resize*>_blank)[0], _resize),
    # layout chwn<L>: images in the lanes
    Kernel("conv2d", "chwn", "direct", <size_t>conv2d_f32_chwn_direct, (<Direct*>_blank)[0], _conv2d),
    Kernel("conv2d", "chwn", "winograd4x3", <size_t>conv2d_f32_chwn_winograd4x3, (<Winograd*>_blank)[0], _winograd(6)),
    Kernel("conv2d", "chwn", "winograd4x5", <size_t>conv2d_f32_chwn_winograd4x5, (<Winograd*>_blank)[0], _winograd(8)),
    Kernel("dense", "chwn", "direct", <size_t>dense_f32_chwn_direct, (<Dense*>_blank)[0], _dense),
    Kernel("max_pool", "chwn", "direct", <size_t>max_pool_f32_chwn_direct, (<Pool*>_blank)[0], _pool),
    Kernel("avg_pool", "chwn", "direct", <size_t>avg_pool_f32_chwn_direct, (<Pool*>_blank)[0], _avg_pool),
    Kernel("global_avg_pool", "chwn", "direct", <size_t>global_avg_pool_f32_chwn_direct,
           (<GlobalPool*>_blank)[0], _global_pool),
    Kernel("global_max_pool", "chwn", "direct", <size_t>global_max_pool_f32_chwn_direct,
           (<GlobalPool*>_blank)[0], _global_pool),
    Kernel("affine", "chwn", "direct", <size_t>affine_f32_chwn_direct, (<Rows*>_blank)[0], _affine),
    Kernel("prelu", "chwn", "direct", <size_t>prelu_f32_chwn_direct, (<Rows*>_blank)[0], _prelu),
    Kernel("activate", "chwn", "direct", <size_t>activate_f32_chwn_direct, (<Activate*>_blank)[0], _rows),
    Kernel("softmax", "chwn", "direct", <size_t>softmax_f32_chwn_direct, (<Softmax*>_blank)[0], _softmax),
    Kernel("log_softmax", "chwn", "direct", <size_t>log_softmax_f32_chwn_direct, (<Softmax*>_blank)[0], _softmax),
    Kernel("add", "chwn", "direct", <size_t>add_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("mul", "chwn", "direct", <size_t>mul_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("copy", "chwn", "direct", <size_t>copy_f32_chwn_direct, (<Copy*>_blank)[0], _copy),
    Kernel("fill", "chwn", "direct", <size_t>fill_f32_chwn_direct, (<FillRows*>_blank)[0], _fill),
    Kernel("halo", "chwn", "direct", <size_t>halo_f32_chwn_direct, (<Halo*>_blank)[0], _halo, splits=True,
           needs_barrier=False),
    Kernel("lrn", "chwn", "direct", <size_t>lrn_f32_chwn_direct, (<Lrn*>_blank)[0], _lrn),
    Kernel("sub", "chwn", "direct", <size_t>sub_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("div", "chwn", "direct", <size_t>div_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("maximum", "chwn", "direct", <size_t>maximum_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("minimum", "chwn", "direct", <size_t>minimum_f32_chwn_direct, (<Broadcast*>_blank)[0], _binary),
    Kernel("function", "chwn", "direct", <size_t>function_f32_chwn_direct, (<Function*>_blank)[0], _rows),
    Kernel("matmul", "chwn", "direct", <size_t>matmul_f32_chwn_direct, (<MatMul*>_blank)[0], _matmul),
    Kernel("reduce", "chwn", "direct", <size_t>reduce_f32_chwn_direct, (<Reduce*>_blank)[0], _reduce),
    Kernel("normalize", "chwn", "direct", <size_t>normalize_f32_chwn_direct, (<Normalize*>_blank)[0], _normalize),
    Kernel("gather", "chwn", "direct", <size_t>gather_f32_chwn_direct, (<Gather*>_blank)[0], _gather),
    Kernel("resize", "chwn", "direct", <size_t>resize_f32_chwn_direct, (<Resize*>_blank)[0], _resize),
    # layout nchw<L>c: one image, channels in the lanes
    Kernel("conv2d", "nchwc", "direct", <size_t>conv2d_f32_nchwc_direct,
           (<DirectNchwc*>_blank)[0], _nchwc_conv2d, splits=True),
    Kernel("conv2d", "nchwc", "depthwise", <size_t>conv2d_f32_nchwc_depthwise,
           (<Grouped*>_blank)[0], _grouped(False), splits=True),
    Kernel("conv2d", "nchwc", "grouped", <size_t>conv2d_f32_nchwc_grouped,
           (<Grouped*>_blank)[0], _grouped(True), splits=True),
    Kernel("conv2d", "nchwc", "winograd4x3", <size_t>conv2d_f32_nchwc_winograd4x3,
           (<WinogradNchwc*>_blank)[0], _nchwc_winograd(6), splits=True),
    Kernel("conv2d", "nchwc", "winograd4x5", <size_t>conv2d_f32_nchwc_winograd4x5,
           (<WinogradNchwc*>_blank)[0], _nchwc_winograd(8), splits=True),
    Kernel("dense", "nchwc", "direct", <size_t>dense_f32_nchwc_direct,
           (<DenseNchwc*>_blank)[0], _nchwc_dense, splits=True),
    Kernel("affine", "nchwc", "direct", <size_t>affine_f32_nchwc_direct, (<Rows*>_blank)[0], _nchwc_affine),
    Kernel("prelu", "nchwc", "direct", <size_t>prelu_f32_nchwc_direct, (<Rows*>_blank)[0], _nchwc_prelu),
    Kernel("softmax", "nchwc", "direct", <size_t>softmax_f32_nchwc_direct, (<Rows*>_blank)[0], _channels),
    Kernel("log_softmax", "nchwc", "direct", <size_t>log_softmax_f32_nchwc_direct, (<Rows*>_blank)[0], _channels),
    Kernel("lrn", "nchwc", "direct", <size_t>lrn_f32_nchwc_direct, (<Lrn*>_blank)[0], _channels),
    Kernel("copy", "nchwc", "elements", <size_t>copy_f32_nchwc_elements, (<Count*>_blank)[0], _elements),
    # integers, layout chwn<L>
    Kernel("conv2d", "chwn", "direct", <size_t>conv2d_u8_chwn_direct,
           (<Int8Direct*>_blank)[0], _int8_conv2d, dtype="u8"),
    Kernel("conv2d", "chwn", "depthwise", <size_t>conv2d_u8_chwn_depthwise,
           (<Int8Depthwise*>_blank)[0], _int8_conv2d, dtype="u8"),
    Kernel("dense", "chwn", "direct", <size_t>dense_u8_chwn_direct, (<Int8Dense*>_blank)[0], _int8_dense, dtype="u8"),
    Kernel("conv2d", "chwn", "matrix", <size_t>conv2d_u8_chwn_matrix,
           (<Int8Matrix*>_blank)[0], _int8_matrix, dtype="u8"),
    Kernel("dense", "chwn", "matrix", <size_t>dense_u8_chwn_matrix,
           (<Int8DenseMatrix*>_blank)[0], _int8_dense_matrix, dtype="u8"),
    Kernel("max_pool", "chwn", "direct", <size_t>max_pool_u8_chwn_direct, (<Pool*>_blank)[0], _pool, dtype="u8"),
    Kernel("avg_pool", "chwn", "direct", <size_t>avg_pool_u8_chwn_direct,
           (<Int8AvgPool*>_blank)[0], _avg_pool, dtype="u8"),
    Kernel("add", "chwn", "direct", <size_t>add_u8_chwn_direct, (<Int8Pair*>_blank)[0], _binary, dtype="u8"),
    Kernel("mul", "chwn", "direct", <size_t>mul_u8_chwn_direct, (<Int8Pair*>_blank)[0], _binary, dtype="u8"),
    Kernel("lookup", "chwn", "direct", <size_t>lookup_u8_chwn_direct,
           (<Int8Lookup*>_blank)[0], _int8_lookup, dtype="u8"),
    Kernel("quantize", "chwn", "direct", <size_t>quantize_u8_chwn_direct,
           (<Int8Quantize*>_blank)[0], _int8_quantize, dtype="u8"),
    Kernel("dequantize", "chwn", "direct", <size_t>dequantize_u8_chwn_direct,
           (<Int8Quantize*>_blank)[0], _int8_dequantize, dtype="u8"),
    Kernel("move", "chwn", "direct", <size_t>move_u8_chwn_direct, (<Count*>_blank)[0], _int8_move, dtype="u8"),
    Kernel("halo", "chwn", "direct", <size_t>halo_u8_chwn_direct,
           (<Int8Halo*>_blank)[0], _halo, dtype="u8", splits=True, needs_barrier=False),
    # integers, channels in the lanes
    Kernel("conv2d", "nchwc", "direct", <size_t>conv2d_u8_nchwc_direct,
           (<Int8Nchwc*>_blank)[0], _nchwc_int8_conv2d, dtype="u8", splits=True),
    Kernel("conv2d", "nchwc", "depthwise", <size_t>conv2d_u8_nchwc_depthwise,
           (<Int8DepthwiseNchwc*>_blank)[0], _nchwc_int8_depthwise, dtype="u8", splits=True),
    Kernel("dense", "nchwc", "direct", <size_t>dense_u8_nchwc_direct,
           (<Int8Nchwc*>_blank)[0], _nchwc_int8_conv2d, dtype="u8", splits=True),
    Kernel("max_pool", "nchwc", "direct", <size_t>max_pool_u8_nchwc_direct,
           (<Pool*>_blank)[0], _pixels(_pool), dtype="u8"),
    Kernel("avg_pool", "nchwc", "direct", <size_t>avg_pool_u8_nchwc_direct,
           (<Int8AvgPool*>_blank)[0], _pixels(_avg_pool), dtype="u8"),
    Kernel("add", "nchwc", "direct", <size_t>add_u8_nchwc_direct, (<Int8Pair*>_blank)[0], _pixels(_binary), dtype="u8"),
    Kernel("mul", "nchwc", "direct", <size_t>mul_u8_nchwc_direct, (<Int8Pair*>_blank)[0], _pixels(_binary), dtype="u8"),
    Kernel("lookup", "nchwc", "direct", <size_t>lookup_u8_nchwc_direct,
           (<Int8Lookup*>_blank)[0], _pixels(_nchwc_int8_lookup), dtype="u8"),
    Kernel("quantize", "nchwc", "direct", <size_t>quantize_u8_nchwc_direct,
           (<Int8Quantize*>_blank)[0], _nchwc_int8_quantize, dtype="u8"),
    Kernel("dequantize", "nchwc", "direct", <size_t>dequantize_u8_nchwc_direct,
           (<Int8Quantize*>_blank)[0], _nchwc_int8_dequantize, dtype="u8"),
    Kernel("move", "nchwc", "elements", <size_t>move_u8_nchwc_elements,
           (<Count*>_blank)[0], _nchwc_int8_move, dtype="u8"),
    Kernel("halo", "nchwc", "direct", <size_t>halo_u8_nchwc_direct,
           (<Int8Halo*>_blank)[0], _pixels(_halo), dtype="u8", splits=True, needs_barrier=False),
    # training
    Kernel("conv2d_weight", "chwn", "direct", <size_t>conv2d_weight_f32_chwn_direct,
           (<DirectWeight*>_blank)[0], _conv2d_weight, trains=True),
    Kernel("conv2d_weight", "chwn", "winograd4x3", <size_t>conv2d_weight_f32_chwn_winograd4x3,
           (<WinogradWeight*>_blank)[0], _winograd_weight(6, 3), trains=True),
    Kernel("conv2d_weight", "chwn", "winograd4x5", <size_t>conv2d_weight_f32_chwn_winograd4x5,
           (<WinogradWeight*>_blank)[0], _winograd_weight(8, 5), trains=True),
    Kernel("dense_weight", "chwn", "outer", <size_t>dense_weight_f32_chwn_outer,
           (<Matrix*>_blank)[0], _dense_weight, trains=True),
    Kernel("affine_activate", "chwn", "direct", <size_t>affine_activate_f32_chwn_direct,
           (<AffineActivate*>_blank)[0], _affine_activate, trains=True),
    Kernel("channel_sums", "chwn", "direct", <size_t>channel_sums_f32_chwn_direct,
           (<ChannelSums*>_blank)[0], _channel_sums, trains=True),
    Kernel("moments", "chwn", "direct", <size_t>moments_f32_chwn_direct,
           (<ChannelSums*>_blank)[0], _moments, trains=True),
    Kernel("norm_sums", "chwn", "direct", <size_t>norm_sums_f32_chwn_direct,
           (<NormSums*>_blank)[0], _norm_sums, trains=True),
    Kernel("norm_sums_activate", "chwn", "direct", <size_t>norm_sums_activate_f32_chwn_direct,
           (<RowsBack*>_blank)[0], _norm_sums_activate, trains=True),
    Kernel("norm_back", "chwn", "direct", <size_t>norm_back_f32_chwn_direct,
           (<RowsBack*>_blank)[0], _norm_back, trains=True),
    Kernel("activate_back", "chwn", "direct", <size_t>activate_back_f32_chwn_direct,
           (<ActivateBack*>_blank)[0], _activate_back, trains=True),
    Kernel("leaky_back", "chwn", "direct", <size_t>leaky_back_f32_chwn_direct,
           (<LeakyBack*>_blank)[0], _leaky_back, trains=True),
    Kernel("accumulate", "chwn", "direct", <size_t>accumulate_f32_chwn_direct,
           (<Accumulate*>_blank)[0], _accumulate, trains=True),
    Kernel("multiply_add", "chwn", "direct", <size_t>multiply_add_f32_chwn_direct,
           (<MultiplyAdd*>_blank)[0], _multiply_add, trains=True),
    Kernel("dropout", "chwn", "direct", <size_t>dropout_f32_chwn_direct, (<Dropout*>_blank)[0], _dropout, trains=True),
    Kernel("softmax_cross_entropy", "chwn", "direct", <size_t>softmax_cross_entropy_f32_chwn_direct,
           (<Loss*>_blank)[0], _loss, trains=True),
    Kernel("sigmoid_binary_cross_entropy", "chwn", "direct", <size_t>sigmoid_binary_cross_entropy_f32_chwn_direct,
           (<Loss*>_blank)[0], _loss, trains=True),
    Kernel("mean_squared_error", "chwn", "direct", <size_t>mean_squared_error_f32_chwn_direct,
           (<Loss*>_blank)[0], _loss, trains=True),
    Kernel("softmax_back", "chwn", "direct", <size_t>softmax_back_f32_chwn_direct,
           (<SoftmaxBack*>_blank)[0], _softmax_back, trains=True),
    Kernel("lrn_back", "chwn", "direct", <size_t>lrn_back_f32_chwn_direct,
           (<LrnBack*>_blank)[0], _lrn_back, trains=True),
    Kernel("max_pool_back", "chwn", "direct", <size_t>max_pool_back_f32_chwn_direct,
           (<PoolBack*>_blank)[0], _pool_back, trains=True),
    Kernel("avg_pool_back", "chwn", "direct", <size_t>avg_pool_back_f32_chwn_direct,
           (<PoolBack*>_blank)[0], _avg_pool_back, trains=True),
    Kernel("global_avg_pool_back", "chwn", "direct", <size_t>global_avg_pool_back_f32_chwn_direct,
           (<GlobalPoolBack*>_blank)[0], _global_avg_pool_back, trains=True),
)}


cdef Kernel kernel_named(str name):
    if name not in KERNELS:
        raise ValueError(f"there is no kernel {name!r}")
    return KERNELS[name]
