# The memory that calls work in. What a call returns is kept for the next one, of any program: asking the system each
# time would take longer than a small network.

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    static void trim_heap(void) { malloc_trim(0); }
    #else
    static void trim_heap(void) {}
    #endif
    """
    void trim_heap() nogil

cdef extern from "aligned_memory.h" nogil:
    void* alloc_streamed(size_t size)
    void free_aligned(void* memory)

cdef enum:
    FLOATS_PER_PAGE = 1024
    WORTH_TRIMMING = 1 << 20               # bytes of weights: packing them has taken several times as much
    MAX_IDLE = 16                         # blocks
    MAX_IDLE_BYTES = 64 << 20             # together; a larger block goes back to the system at once

cdef struct Block:
    void* data
    size_t size

cdef Block[MAX_IDLE] _idle                # the longest unused first
cdef int _idle_count = 0
cdef size_t _idle_bytes = 0


cdef Block borrow(size_t size) except *:
    # an idle block or new memory
    cdef Block block
    lock_state()
    block = _taken(size)
    unlock_state()
    if block.data != NULL:
        return block
    block.data, block.size = alloc_streamed(size), size
    if block.data == NULL:
        raise MemoryError(f"no memory for arenas of {size} bytes")
    return block


cdef Block _taken(size_t size) noexcept:
    # the smallest idle block that is large enough, of equal ones the last used; without data if there is none
    cdef Block block
    cdef int i, best = -1
    block.data, block.size = NULL, 0
    for i in range(_idle_count):
        if _idle[i].size >= size and (best < 0 or _idle[i].size <= _idle[best].size):
            best = i
    if best >= 0:
        block = _idle[best]
        _forget(best)
    return block


cdef void give_back(Block block) noexcept:
    global _idle_count, _idle_bytes
    if block.size > MAX_IDLE_BYTES:
        free_aligned(block.data)
        return
    lock_state()
    while _idle_count == MAX_IDLE or _idle_bytes + block.size > MAX_IDLE_BYTES:
        free_aligned(_idle[0].data)
        _forget(0)
    _idle[_idle_count] = block
    _idle_count += 1
    _idle_bytes += block.size
    unlock_state()


cdef void _forget(int index) noexcept:
    global _idle_count, _idle_bytes
    cdef int i
    _idle_bytes -= _idle[index].size
    _idle_count -= 1
    for i in range(index, _idle_count):
        _idle[i] = _idle[i + 1]


def idle_memory():
    """Return how many blocks of memory wait for the next call, and their bytes together."""
    cdef int count
    cdef size_t size
    lock_state()
    count, size = _idle_count, _idle_bytes
    unlock_state()
    return count, size
