# The rows of a PNG, which hold each byte as its difference from a guess: section 9 of the specification.

from libc.stdint cimport uint8_t

cdef enum:
    PLAIN = 0
    LEFT = 1
    ABOVE = 2
    MEAN = 3
    PAETH = 4


def undo_png_filters(const uint8_t[::1] filtered, uint8_t[:, ::1] rows, Py_ssize_t pixel):
    """Write the bytes of an image, and return whether all filters are known.

    Parameters
    ----------
    filtered : (H * (1 + W),)
        Each row is its filter, then its differences.
    rows : (H, W)
    pixel : int
        Bytes from a pixel to the next.
    """
    cdef Py_ssize_t H = rows.shape[0], W = rows.shape[1], y
    cdef const uint8_t* row
    cdef const uint8_t* above = NULL
    if filtered.shape[0] != H * (1 + W) or not 1 <= pixel <= W:
        raise ValueError(f"{filtered.shape[0]} bytes are not {H} rows of 1 + {W}, or do not have pixels of {pixel}")
    for y in range(H):
        row = &filtered[0] + y * (1 + W)
        if row[0] > PAETH:
            return False
        undo_png_filter(row[0], row + 1, above, &rows[y, 0], W, pixel)
        above = &rows[y, 0]
    return True


cdef void undo_png_filter(uint8_t kind, const uint8_t* x, const uint8_t* above, uint8_t* out, Py_ssize_t W,
                          Py_ssize_t pixel) noexcept nogil:
    # what is left of the first pixel and above the first row counts as zero
    cdef Py_ssize_t i
    cdef int left, up, corner
    for i in range(pixel):
        up = above[i] if above != NULL else 0
        out[i] = <uint8_t>(x[i] + (up if kind == ABOVE or kind == PAETH else up >> 1 if kind == MEAN else 0))
    if kind == PLAIN or kind == ABOVE and above == NULL:
        for i in range(pixel, W):
            out[i] = x[i]
    elif kind == ABOVE:
        for i in range(pixel, W):
            out[i] = <uint8_t>(x[i] + above[i])
    elif kind == LEFT or kind == PAETH and above == NULL:
        for i in range(pixel, W):
            out[i] = <uint8_t>(x[i] + out[i - pixel])
    elif kind == MEAN:
        for i in range(pixel, W):
            up = above[i] if above != NULL else 0
            out[i] = <uint8_t>(x[i] + ((out[i - pixel] + up) >> 1))
    else:
        for i in range(pixel, W):
            left, up, corner = out[i - pixel], above[i], above[i - pixel]
            out[i] = <uint8_t>(x[i] + nearest_to_plane(left, up, corner))


cdef inline int nearest_to_plane(int left, int up, int corner) noexcept nogil:
    # Paeth's guess: the one of three neighbors that is nearest to left + up - corner; of equal ones the first
    cdef int from_left = up - corner, from_up = left - corner, from_corner = from_left + from_up
    from_left = -from_left if from_left < 0 else from_left
    from_up = -from_up if from_up < 0 else from_up
    from_corner = -from_corner if from_corner < 0 else from_corner
    cdef int guess = up if from_up <= from_corner else corner
    return left if from_left <= from_up and from_left <= from_corner else guess
