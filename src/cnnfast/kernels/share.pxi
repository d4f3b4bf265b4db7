# Threads that share a step divide its channels where there are few positions, else its positions: so each reads mostly
# what it wrote in the step before, and waits little for what is in the cache of another.

cdef enum:
    FEW_POSITIONS = 64                     # up to that many, threads divide a layer by output channels
    FEW_TILES = 16                         # the same, of Winograd's tiles


cdef inline Py_ssize_t share_of(Py_ssize_t count, Py_ssize_t part, Py_ssize_t parts, Py_ssize_t unit) noexcept nogil:
    # where the share of a thread starts, in whole units, when a step is divided
    return min(count, (count * part // parts + unit - 1) // unit * unit)


cdef inline Py_ssize_t first_of(const Context* ctx, Py_ssize_t count, Py_ssize_t unit) noexcept nogil:
    # where the part begins that is computed here, of that many items
    return share_of(count, ctx.part, ctx.parts, unit)


cdef inline Py_ssize_t last_of(const Context* ctx, Py_ssize_t count, Py_ssize_t unit) noexcept nogil:
    # the item behind its last
    return share_of(count, ctx.part + 1, ctx.parts, unit)


cdef struct Share:
    Py_ssize_t first                       # blocks of channels
    Py_ssize_t last
    Py_ssize_t start                       # items of each: positions, tiles or rows
    Py_ssize_t stop


cdef inline Share share_of_step(const Context* ctx, Py_ssize_t blocks, Py_ssize_t count, Py_ssize_t unit,
                                bint few) noexcept nogil:
    # blocks of channels where there are few items, else the items in whole units
    cdef Share share
    share.first, share.last, share.start, share.stop = 0, blocks, 0, count
    if few and blocks >= ctx.parts:
        share.first, share.last = first_of(ctx, blocks, 1), last_of(ctx, blocks, 1)
    else:
        share.start, share.stop = first_of(ctx, count, unit), last_of(ctx, count, unit)
    return share


cdef inline Share share_of_layer(const Context* ctx, Py_ssize_t blocks, Py_ssize_t positions) noexcept nogil:
    return share_of_step(ctx, blocks, positions, 8, positions <= FEW_POSITIONS)


cdef inline Share share_of_tiles(const Context* ctx, Py_ssize_t blocks, Py_ssize_t tiles) noexcept nogil:
    return share_of_step(ctx, blocks, tiles, 1, tiles <= FEW_TILES)


cdef inline Share share_of_border(const Context* ctx, Py_ssize_t channels, Py_ssize_t rows,
                                  Py_ssize_t columns) noexcept nogil:
    return share_of_step(ctx, channels, rows, 1, rows * columns <= FEW_POSITIONS)
