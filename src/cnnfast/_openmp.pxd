# What csrc/openmp.h offers: OpenMP's functions, which a build without OpenMP has too.

cdef extern from "openmp.h" nogil:
    const bint HAS_OPENMP
    int omp_get_thread_num()
    int omp_get_num_threads()
    int omp_get_max_threads()
    bint release_team()
