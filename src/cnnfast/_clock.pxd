# What csrc/clock.h offers.

cdef extern from "clock.h" nogil:
    double seconds_now()
