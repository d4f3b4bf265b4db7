# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The one extension module: what a CPU does for a network.

    _naive.pxi     the textbook loop nests, one image at a time, layout ``nchw``
    _program.pxi   the program: runs the steps of a plan over a batch, and holds all the OpenMP
    csrc/          the register tiles, compiled once per instruction set; reached through ``_csrc.pxd``

A kernel is a function of a `Step` and an arena. A step names its values by offsets into the arena, its parameters by
pointers, and its geometry by integers whose names and order stand beside each kernel in `_table.pxi`; Python reads them
as `KERNELS`, so the planner passes geometry by name. Nothing of the package is imported here.
"""

from libc.math cimport INFINITY, erff, expf, expm1f, fabsf, logf, powf, tanhf
from libc.stdlib cimport calloc, free

cimport openmp
from cython.parallel cimport prange

from cnnfast cimport _csrc

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef enum:
    MAX_INTS = 28
    MAX_FLOATS = 4
    MAX_OPERANDS = 2
    MAX_PARAMETERS = 3

ctypedef void (*kernel_t)(const Step*, float*) noexcept nogil

cdef struct Step:
    kernel_t run
    Py_ssize_t g[MAX_INTS]                 # geometry, in the order that _TABLE names
    float f[MAX_FLOATS]                    # attributes that are real numbers
    Py_ssize_t src[MAX_OPERANDS]           # offset of each operand in the arena, or -1 for a constant
    const float* constant[MAX_OPERANDS]    # the constant, where src is -1
    const float* p[MAX_PARAMETERS]         # weights, bias and the like; NULL for one that is left out
    Py_ssize_t dst                         # offset of the result in the arena


cdef inline const float* operand(const Step* s, int i, float* arena) noexcept nogil:
    return arena + s.src[i] if s.src[i] >= 0 else s.constant[i]


include "_naive.pxi"
include "_table.pxi"
include "_program.pxi"
include "_cpu.pxi"
