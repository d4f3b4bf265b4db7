/* Memory that is streamed through asks for large pages: fewer of them have to be looked up. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { LARGE_PAGE = 2 << 20, CACHE_LINE = 64 };

/* Like aligned_alloc, for any number of bytes. */
static inline void *alloc_streamed(size_t bytes) {
    const size_t unit = bytes < LARGE_PAGE ? CACHE_LINE : LARGE_PAGE;
    const size_t whole = (bytes + unit - 1) / unit * unit;
    void *memory = aligned_alloc(unit, whole);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (memory && unit == LARGE_PAGE) madvise(memory, whole, MADV_HUGEPAGE); /* a wish; no harm if it is refused */
#endif
    return memory;
}
