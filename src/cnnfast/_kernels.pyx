# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The one extension module: what a CPU does for a network.

    kernels/interrupts.pxi        Ctrl-C during a call
    kernels/nchw.pxi              the textbook loop nests, one image at a time, layout ``nchw``
    kernels/chwn.pxi              the layer loops for images in the lanes, layout ``chwn<L>``
    kernels/elements.pxi          both, for ops whose geometry does not depend on the layout
    kernels/nchwc.pxi             those for one image with channels in the lanes, layout ``nchw<L>c``
    kernels/table.pxi             the list of all of them
    kernels/backward.pxi          the layer loops of training
    kernels/reach.pxi             what a step can touch, checked when a program is made
    kernels/arena.pxi             the memory that calls work in
    kernels/program.pxi           the program: runs the steps of a plan over a batch, and holds all the OpenMP
    kernels/training.pxi          one step of training: a program in phases, with sums over the batch
    kernels/entry.pxi             from a Python call to a program, in one crossing
    kernels/winograd_weights.pxi  weights transformed for Winograd, when a network is planned
    kernels/isa.pxi               which instruction set runs, and its peak
    csrc/          the register tiles, compiled once per instruction set; reached through ``_csrc.pxd``

A kernel is a function of a `Step` and an arena. A step names its values by offsets into the arena, its parameters by
pointers, and its geometry by integers whose names and order stand beside each kernel in `kernels/table.pxi`; Python reads them
as `KERNELS`, so the planner passes geometry by name. Nothing of the package is imported here
but its errors.
"""

from libc.math cimport INFINITY, erff, expf, expm1f, fabsf, log1pf, logf, powf, rintf, sqrt, sqrtf, tanhf
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cimport openmp
from cpython.exc cimport PyErr_WarnEx
from cython.parallel cimport parallel, prange

from cnnfast cimport _csrc
from cnnfast._csrc cimport epilogue as Epilogue

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef extern from "fp_mode.h" nogil:
    ctypedef unsigned long long floating_mode
    floating_mode floating_now()
    floating_mode floating_begin()
    void floating_end(floating_mode before)
    void floating_set(floating_mode mode)

INTERFACE = 10
"""What steps, tables and packed weights mean. ``runtime/dispatch.py`` states the same number; both grow with every change."""

cdef enum:
    MAX_INTS = 28
    MAX_FLOATS = 4
    MAX_OPERANDS = 3
    MAX_PARAMETERS = 2
    MAX_TABLES = 5

ctypedef void (*kernel_t)(const Step*, float*) noexcept nogil
ctypedef void (*part_t)(const Step*, float*, float*, Py_ssize_t, Py_ssize_t) noexcept nogil

cdef struct Step:
    kernel_t run
    part_t part                            # a thread's part of it, or NULL if one thread does it alone
    bint waits                             # whether all that came before must be done first
    Py_ssize_t[MAX_INTS] g                 # geometry, in the order that the table of kernels names
    float[MAX_FLOATS] f                    # attributes that are real numbers
    int n_operands
    Py_ssize_t[MAX_OPERANDS] src           # place of each operand in the arena, or -1 for a constant
    float* constant[MAX_OPERANDS]          # the constant, where src is -1
    float* p[MAX_PARAMETERS]               # weights, bias and the like; NULL for one that is left out
    int* t[MAX_TABLES]                     # tables of places, of images in the lanes
    Py_ssize_t dst                         # place of the result in the arena
    Py_ssize_t workspace                   # place of what only this step uses


cdef inline const float* operand(const Step* s, int i, float* arena) noexcept nogil:
    return arena + s.src[i] if s.src[i] >= 0 else s.constant[i]


include "kernels/interrupts.pxi"
include "kernels/nchw.pxi"
include "kernels/chwn.pxi"
include "kernels/elements.pxi"
include "kernels/nchwc.pxi"
include "kernels/table.pxi"
include "kernels/backward.pxi"
include "kernels/reach.pxi"
include "kernels/arena.pxi"
include "kernels/program.pxi"
include "kernels/training.pxi"
include "kernels/entry.pxi"
include "kernels/winograd_weights.pxi"
include "kernels/isa.pxi"
