# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""The one extension module: what a CPU does for a network.

    kernels/interrupts.pxi        Ctrl-C during a call
    kernels/geometry.pxi          the geometry of each kernel, by name
    kernels/nchw.pxi              the textbook loop nests, one image at a time, layout ``nchw``
    kernels/chwn.pxi              the layer loops for images in the lanes, layout ``chwn<L>``
    kernels/chwn_winograd.pxi     those of convolutions by Winograd
    kernels/elements.pxi          both, for ops whose geometry does not depend on the layout
    kernels/nchwc.pxi             those for one image with channels in the lanes, layout ``nchw<L>c``
    kernels/int8.pxi              the layer loops of integers, images in the lanes
    kernels/int8_nchwc.pxi        those for one image with channels in the lanes
    kernels/backward.pxi          the layer loops of training
    kernels/reach*.pxi            what a step can touch: rules, and the check when a program is made
    kernels/table.pxi             the one list of kernels
    kernels/arena.pxi             the memory that calls work in
    kernels/transfer.pxi          images into the arena, results out of it
    kernels/program.pxi           the program: runs the steps of a plan over a batch, and holds all the OpenMP
    kernels/training.pxi          one step of training: a program in phases, with sums over the batch
    kernels/entry.pxi             from a Python call to a program, in one crossing
    kernels/winograd_weights.pxi  weights transformed for Winograd, when a network is planned
    kernels/isa.pxi               which instruction set runs, and its peak
    csrc/          the register tiles, compiled once per instruction set; reached through ``_csrc.pxd``

A kernel is a function of a `Step` and a `Context`. A step names its values by offsets into the arena, its parameters by
pointers, and its geometry by the fields of a struct; Python reads their names from `KERNELS`, so the planner passes
geometry by name. The context says where the step runs: instruction set, arenas, and which part of it. Nothing of the
package is imported here but its errors.
"""

from threading import RLock

from libc.math cimport INFINITY, erff, expf, expm1f, fabsf, log1pf, logf, powf, rintf, sqrt, sqrtf, tanhf
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cpython.exc cimport PyErr_WarnEx
from cython.parallel cimport parallel, prange

from cnnfast cimport _clock as clock
from cnnfast cimport _csrc
from cnnfast cimport _openmp as openmp
from cnnfast._csrc cimport epilogue as Epilogue

cdef extern from "fp_mode.h" nogil:
    ctypedef unsigned long long floating_mode
    floating_mode floating_now()
    floating_mode floating_begin()
    void floating_end(floating_mode before)
    void floating_set(floating_mode mode)

cdef extern from "shared_state.h" nogil:
    void lock_state()
    void unlock_state()
    bint is_raised(const int* flag)
    void raise_flag(int* flag)

INTERFACE = 26
"""What steps, tables and packed weights mean: it grows with every change, as in ``runtime/dispatch.py``."""

planning = RLock()
"""Taken while a network is planned and its weights are packed: once, however many threads need it at the same time."""

cdef enum:
    MAX_INTS = 28
    MAX_OPERANDS = 3
    MAX_PARAMETERS = 4
    MAX_TABLES = 5


cdef struct Context:
    # where and with what a step runs
    const _csrc.cnnfast_kernels* isa
    float* arena                           # holds all values
    float* thread_arena                    # of the thread: holds workspaces
    Py_ssize_t part                        # which part of the step is computed, and of how many: 0 of 1 is all of it
    Py_ssize_t parts

ctypedef void (*kernel_t)(const Step*, const Context*) noexcept nogil

cdef struct Step:
    kernel_t run
    bint splits                            # whether threads can share it
    bint needs_barrier                     # whether all that came before must be done first
    Py_ssize_t[MAX_INTS] geometry          # the kernel's struct in kernels/geometry.pxi
    int n_operands
    Py_ssize_t[MAX_OPERANDS] src           # offset of each operand in the arena, or -1 for a constant
    float* constant[MAX_OPERANDS]          # the constant, where src is -1
    float* p[MAX_PARAMETERS]               # weights, bias and the like; NULL for one that is left out
    int* t[MAX_TABLES]                     # offset tables, of images in the lanes
    Py_ssize_t dst                         # offset of the result in the arena
    Py_ssize_t workspace                   # offset of what only this step uses, in the arena of the thread


cdef inline const float* operand(const Step* s, int i, const Context* ctx) noexcept nogil:
    return ctx.arena + s.src[i] if s.src[i] >= 0 else s.constant[i]


cdef inline float* result(const Step* s, const Context* ctx) noexcept nogil:
    return ctx.arena + s.dst


cdef inline float* workspace(const Step* s, const Context* ctx) noexcept nogil:
    return ctx.thread_arena + s.workspace


cdef inline Context whole_step(const _csrc.cnnfast_kernels* isa, float* arena) noexcept nogil:
    # the context of a thread that computes whole steps in one arena
    cdef Context ctx
    ctx.isa, ctx.arena, ctx.thread_arena, ctx.part, ctx.parts = isa, arena, arena, 0, 1
    return ctx


include "kernels/interrupts.pxi"
include "kernels/geometry.pxi"
include "kernels/share.pxi"
include "kernels/nchw.pxi"
include "kernels/chwn.pxi"
include "kernels/chwn_winograd.pxi"
include "kernels/elements.pxi"
include "kernels/nchwc.pxi"
include "kernels/int8.pxi"
include "kernels/int8_nchwc.pxi"
include "kernels/backward.pxi"
include "kernels/reach.pxi"
include "kernels/reach_rules.pxi"
include "kernels/reach_int8.pxi"
include "kernels/reach_int8_nchwc.pxi"
include "kernels/reach_backward.pxi"
include "kernels/table.pxi"
include "kernels/reach_check.pxi"
include "kernels/arena.pxi"
include "kernels/transfer.pxi"
include "kernels/sharing.pxi"
include "kernels/partition.pxi"
include "kernels/program.pxi"
include "kernels/tasks.pxi"
include "kernels/team.pxi"
include "kernels/batch_norms.pxi"
include "kernels/training.pxi"
include "kernels/training_weights.pxi"
include "kernels/entry.pxi"
include "kernels/winograd_weights.pxi"
include "kernels/isa.pxi"
