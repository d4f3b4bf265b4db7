# What csrc/ offers to Cython: the structures of csrc/tiles.h and the kernels of csrc/kernels.def.
cdef extern from "dispatch.h" nogil:
    ctypedef struct epilogue:
        const float* r
        long r_channel
        const int* r_offsets
        int act
        float f0
        float f1

    ctypedef struct conv_args:
        const float* x
        const int* tap_offsets
        long K
        const float* w
        const float* bias
        long channels
        const int* x_offsets
        const int* y_offsets
        long positions
        float* y
        long y_channel
        int pool
        int resume
        epilogue end

    ctypedef struct dense_args:
        const float* x
        const int* tap_offsets
        long K
        const float* w
        const float* bias
        long channels
        float* y
        long y_channel
        epilogue end

    ctypedef struct winograd_args:
        const float* x
        long C
        long x_channel
        long x_row
        long T
        const int* x_offsets
        float* v
        const float* u
        const float* bias
        long channels
        float* y
        long y_channel
        long y_row
        const int* y_offsets
        const int* rows
        const int* cols
        int pool
        epilogue end
        long r_row

    int SHORT_SUM

    ctypedef struct sum_args:
        const float* x
        long[3] n
        long[3] step

    ctypedef struct pool_args:
        const float* x
        long H
        long W
        long x_row
        float* y
        long OH
        long OW
        long y_row
        long KH
        long KW
        long SH
        long SW
        long PT
        long PL
        long DH
        long DW
        const float* divisor

    ctypedef struct resize_args:
        const float* x
        float* y
        long OW
        long KH
        long KW
        const int* rows
        const int* cols
        const float* row_weight
        const float* col_weight

    ctypedef struct matmul_args:
        long M
        long K
        long O
        const float* a
        const float* b
        float* y
        long a_m
        long a_k
        long b_k
        long b_o
        long y_m
        long y_o

    ctypedef struct pixel_args:
        const float* x
        const int* tap_offsets
        long K
        const float* w
        const float* bias
        long vectors
        const int* x_offsets
        const int* y_offsets
        long positions
        float* y
        long y_channel
        int pool
        epilogue end

    ctypedef struct grouped_args:
        const float* x
        const int* tap_offsets
        long K
        const float* w
        const float* bias
        const int* x_offsets
        const int* y_offsets
        long positions
        float* y
        int pool
        epilogue end

    ctypedef struct products_args:
        const float* v
        long C
        long T
        const float* u
        const float* first
        long vectors
        float* m

    cdef enum:
        GRAD_OC

    ctypedef struct weight_args:
        const float* x
        const int* tap_offsets
        long K
        const int* x_offsets
        const int* y_offsets
        long positions
        const float* dy
        long y_channel
        long channels
        float* dw

    ctypedef struct pool_back_args:
        const float* x
        long H
        long W
        long x_row
        const float* y
        long OH
        long OW
        long y_row
        long KH
        long KW
        long SH
        long SW
        long PT
        long PL
        long DH
        long DW
        const float* divisor
        const float* dy
        long dy_row
        float* dx
        long dx_row

    ctypedef struct outer_args:
        const float* rows
        long R
        long row_step
        const float* columns
        long Q
        long K
        float* out
        long out_step
        int set

    ctypedef struct tile_back_args:
        const float* dy
        long channels
        long y_channel
        long y_row
        long T
        const int* y_offsets
        const int* used
        float* m

    ctypedef void (*tile_back_t)(const tile_back_args*) noexcept nogil
    ctypedef void (*collect_t)(const float*, long, const float*, float*) noexcept nogil
    ctypedef void (*pool_back_t)(const pool_back_args*) noexcept nogil
    ctypedef void (*winograd_t)(const winograd_args*) noexcept nogil
    ctypedef void (*grouped_t)(const grouped_args*) noexcept nogil
    ctypedef void (*pool_t)(const pool_args*) noexcept nogil
    ctypedef void (*arithmetic_t)(long, const float*, long, const float*, long, float*) noexcept nogil

    ctypedef struct cnnfast_kernels:
        const char* isa
        int lanes
        int tile_oc
        int dense_oc
        int single_oc
        double (*fma_peak_f32)(long, float*) noexcept nogil
        void (*conv_f32_direct)(const conv_args*) noexcept nogil
        void (*conv_f32_depthwise)(const conv_args*, long, long) noexcept nogil
        void (*dense_f32_direct)(const dense_args*) noexcept nogil
        winograd_t winograd_f32_f4x3_input
        winograd_t winograd_f32_f4x3_output
        winograd_t winograd_f32_f4x5_input
        winograd_t winograd_f32_f4x5_output
        pool_t max_pool_f32
        pool_t avg_pool_f32
        void (*activate_f32)(long, const float*, float*, int, float, float) noexcept nogil
        void (*affine_f32)(long, const float*, float*, float, float) noexcept nogil
        void (*leaky_f32)(long, const float*, float*, float) noexcept nogil
        arithmetic_t add_f32
        arithmetic_t mul_f32
        arithmetic_t sub_f32
        arithmetic_t div_f32
        arithmetic_t maximum_f32
        arithmetic_t minimum_f32
        void (*function_f32)(long, const float*, float*, int, float) noexcept nogil
        void (*reduce_f32)(long, const float*, long, float*, int) noexcept nogil
        void (*long_sum_f32)(const sum_args*, float*) noexcept nogil
        void (*statistics_f32)(const sum_args*, float, float*) noexcept nogil
        void (*normalize_f32)(long, const float*, long, float*, long, const float*, const float*, const float*,
                              long) noexcept nogil
        void (*gather_f32)(long, const float*, const int*, float*, long) noexcept nogil
        void (*resize_f32)(const resize_args*) noexcept nogil
        void (*matmul_f32)(const matmul_args*) noexcept nogil
        void (*copy_f32)(long, const float*, long, float*, long) noexcept nogil
        void (*fill_f32)(long, float, float*) noexcept nogil
        void (*sum_f32)(long, const float*, float*) noexcept nogil
        void (*max_f32)(long, const float*, float*) noexcept nogil
        void (*softmax_f32)(long, const float*, long, float*, long, int) noexcept nogil
        void (*lrn_f32)(long, const float*, const float*, float*, float, float, float) noexcept nogil
        void (*square_add_f32)(long, const float*, float*) noexcept nogil
        void (*load_u8)(long, const unsigned char**, long, float*, float, float) noexcept nogil
        void (*load_rgb_u8)(long, const unsigned char**, float*, long, const float*, const float*) noexcept nogil
        void (*load_f32)(long, const char**, long, float*) noexcept nogil
        void (*store_f32)(long, const float*, float**, long) noexcept nogil
        void (*conv_f32_nchwc)(const pixel_args*) noexcept nogil
        grouped_t depthwise_f32_nchwc
        grouped_t grouped_f32_nchwc
        winograd_t winograd_f32_f4x3_input_nchwc
        winograd_t winograd_f32_f4x3_output_nchwc
        winograd_t winograd_f32_f4x5_input_nchwc
        winograd_t winograd_f32_f4x5_output_nchwc
        void (*winograd_f32_products_nchwc)(const products_args*) noexcept nogil
        void (*affine_f32_nchwc)(long, const float*, float*, const float*, const float*) noexcept nogil
        void (*leaky_f32_nchwc)(long, const float*, float*, const float*) noexcept nogil
        void (*softmax_f32_nchwc)(long, const float*, long, float*, long, int) noexcept nogil
        void (*lrn_f32_nchwc)(
            long, long, const float*, long, float*, long, long, float, float, float) noexcept nogil
        void (*copy_f32_elements)(long, const float*, const int*, float*, const int*) noexcept nogil
        void (*load_u8_nchwc)(
            long, const unsigned char*, long, long, long, long, float*, const float*, const float*) noexcept nogil
        void (*load_f32_nchwc)(long, const char*, long, long, long, float*) noexcept nogil
        void (*weight_gradient_f32)(const weight_args*) noexcept nogil
        void (*channel_sum_f32)(long, long, const float*, long, float*) noexcept nogil
        void (*moments_f32)(long, long, const float*, long, float*) noexcept nogil
        void (*norm_sums_f32)(long, long, const float*, long, float*, long, const float*, int, float*) noexcept nogil
        void (*norm_back_f32)(long, const float*, const float*, const float*, const float*, float*) noexcept nogil
        void (*activate_back_f32)(long, const float*, const float*, float*, int, float, float) noexcept nogil
        void (*leaky_back_f32)(long, const float*, const float*, float*, float, float*) noexcept nogil
        void (*accumulate_f32)(long, const float*, long, float*, long) noexcept nogil
        void (*multiply_add_f32)(long, const float*, long, const float*, long, float*, long) noexcept nogil
        void (*dropout_f32)(long, const float*, const float*, long, int, float, float*) noexcept nogil
        void (*softmax_cross_entropy_f32)(long, const float*, const float*, const float*, float*, float*) noexcept nogil
        void (*sigmoid_cross_entropy_f32)(long, const float*, const float*, const float*, float*, float*) noexcept nogil
        void (*squared_error_f32)(long, const float*, const float*, const float*, float*, float*) noexcept nogil
        void (*softmax_back_f32)(long, const float*, long, const float*, long, float*, long, int) noexcept nogil
        void (*lrn_back_f32)(long, const float*, const float*, float*, float*, float, float, float) noexcept nogil
        pool_back_t max_pool_back_f32
        pool_back_t avg_pool_back_f32
        void (*affine_activate_f32)(long, const float*, const float*, float*, float, float, int) noexcept nogil
        void (*transpose_f32)(long, const float*, long, float*) noexcept nogil
        void (*outer_f32)(const outer_args*) noexcept nogil
        tile_back_t winograd_f32_f4x3_gradient
        tile_back_t winograd_f32_f4x5_gradient
        collect_t winograd_f32_f4x3_collect
        collect_t winograd_f32_f4x5_collect
        void (*winograd_f32_weights)(const float*, const int*, long, const float*, float*, long, int) noexcept nogil

    int cnnfast_isa_count()
    const char* cnnfast_isa_name(int index)
    int cnnfast_isa_supported(int index)
    void cnnfast_select(int index)
    const cnnfast_kernels* cnnfast_active()
