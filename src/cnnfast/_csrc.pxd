# What csrc/ offers to Cython. The names of the kernels come from csrc/kernels.def.
cdef extern from "csrc/dispatch.h" nogil:
    ctypedef struct cnnfast_kernels:
        const char* isa
        int lanes
        double (*fma_peak_f32)(long rounds, float* sink) noexcept nogil

    int cnnfast_isa_count()
    const char* cnnfast_isa_name(int index)
    int cnnfast_isa_supported(int index)
    void cnnfast_select(int index)
    const cnnfast_kernels* cnnfast_active()
