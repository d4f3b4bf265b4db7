/* Aligned memory, of any number of bytes. What is streamed through asks for large pages where the system takes such a wish
   (Linux): fewer of them have to be looked up. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#if defined(_WIN32)
#include <malloc.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif

enum { LARGE_PAGE = 2 << 20, PAGE = 4096 };

/* Returns NULL if there is no memory; given back by `free_aligned`, because on Windows `free` may not take it. */
static inline void *alloc_aligned(size_t alignment, size_t bytes) {
#if defined(_WIN32)
    return _aligned_malloc(bytes, alignment);
#else
    void *memory;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
#endif
}

static inline void free_aligned(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

static inline void *alloc_streamed(size_t bytes) {
    const size_t unit = bytes < LARGE_PAGE ? PAGE : LARGE_PAGE;
    const size_t whole = (bytes + unit - 1) / unit * unit;
    void *memory = alloc_aligned(unit, whole);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (memory && unit == LARGE_PAGE) madvise(memory, whole, MADV_HUGEPAGE); /* no harm if it is refused */
#endif
    return memory;
}
