# From a Python call to a program, in one crossing. Usual images are checked and run here, through buffers, without
# making an array besides the result; others are refused with None, and Python brings them into a usual form and calls
# again, or raises an error that says what is wrong. Which shapes are images is decided in `_understand` alone.

from cpython.buffer cimport PyBUF_CONTIG, PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer

cdef extern from *:
    """
    #include <float.h>

    /* NaN lies between nothing, infinity not between finite bounds; branches would keep the loop from vectors */
    static int all_between(const float *x, Py_ssize_t count, float low, float high) {
        int odd = 0;
        for (Py_ssize_t i = 0; i < count; i++)
            odd |= !((x[i] >= low) & (x[i] <= high));
        return !odd;
    }

    /* as before, but infinity and NaN (an exponent of ones) may be anywhere */
    static int none_far(const float *x, Py_ssize_t count, float low, float high) {
        int odd = 0;
        for (Py_ssize_t i = 0; i < count; i++) {
            unsigned bits;
            __builtin_memcpy(&bits, x + i, sizeof bits);
            odd |= ((bits & 0x7f800000u) != 0x7f800000u) & ((x[i] < low) | (x[i] > high));
        }
        return !odd;
    }
    """
    const float FLT_MAX
    bint all_between(const float* x, Py_ssize_t count, float low, float high) nogil
    bint none_far(const float* x, Py_ssize_t count, float low, float high) nogil


cdef enum:
    FINITE = 1                             # floats that are not finite are refused
    NEAR = 2                               # so are floats far outside of what a picture can become


cdef struct Geometry:
    # how an array holds images
    Py_ssize_t N
    Py_ssize_t[4] stride                   # bytes from one image, channel, row, column to the next


cdef class Entry:
    """A program with one input and one output, as Python calls it.

    Parameters
    ----------
    program : Program
    shape : (C, H, W)
    result : tuple of int
        Shape of the result for one image.
    pixels : (factor, shift) or None
        What turns bytes into values; None if bytes are not taken.
    bounds : (float, float) or None
        The range that floats must be in; None if they may be anything.
    batch : int
        The only number of images that is taken, or 0 for any.
    array : type
        ``numpy.ndarray``: other types are refused.
    empty : callable (shape) -> float32 array
    """
    cdef Program _program
    cdef Source _source
    cdef Py_ssize_t _place
    cdef Py_ssize_t _count
    cdef Py_ssize_t _batch
    cdef bint _takes_bytes
    cdef float _low
    cdef float _high
    cdef tuple _result
    cdef object _pixels
    cdef object _array
    cdef object _empty

    def __cinit__(self, Program program, shape, result, pixels, bounds, Py_ssize_t batch, array, empty):
        cdef const float[::1] factor, shift
        (spot,), ((self._count, place),) = program._inputs, program._outputs
        self._source.C, self._source.H, self._source.W = shape
        if tuple(spot[0]) != tuple(shape):
            raise ValueError(f"the program takes images of shape {spot[0]}, not {shape}")
        self._source.dst, self._source.channel, self._source.row = spot[1] * program._lanes, spot[2], spot[3]
        self._program, self._place = program, place * program._lanes
        self._result, self._batch = tuple(result), batch
        self._array, self._empty = array, empty
        self._low, self._high = -FLT_MAX, FLT_MAX
        if bounds is not None:
            self._low, self._high = max(<double>bounds[0], -FLT_MAX), min(<double>bounds[1], FLT_MAX)
        self._takes_bytes = pixels is not None
        if self._takes_bytes:
            factor, shift = self._pixels = pixels
            if factor.shape[0] != self._source.C or shift.shape[0] != self._source.C:
                raise ValueError(f"factor and shift must have {self._source.C} elements")
            self._source.factor, self._source.shift = <float*>&factor[0], <float*>&shift[0]

    def run(self, images, layout, int checks, int threads, out):
        """Return the results for a batch or for one image, or None if this is not a usual case.

        Parameters
        ----------
        images : array
            uint8 or float32 in the byte order of the machine, aligned.
        layout : {"nchw", "nhwc", None}
        checks : int
            What floats are refused for: the sum of 1 (not finite) and 2 (outside of the bounds).
        threads : int
        out : float32 array or None
            Contiguous, (N, ...); the result is written there.
        """
        cdef Py_buffer view
        if type(images) is not self._array:
            return None
        try:
            PyObject_GetBuffer(images, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return None
        try:
            return self._checked(&view, layout, checks, threads, out)
        finally:
            PyBuffer_Release(&view)

    cdef object _checked(self, Py_buffer* view, layout, int checks, int threads, out):
        cdef Geometry geometry
        cdef bint is_bytes = view.format[0] == c"B"
        if view.format[1] != 0 or not (is_bytes and self._takes_bytes or view.format[0] == c"f"):
            return None
        if not self._understand(view.shape, view.strides, view.ndim, layout, is_bytes, &geometry) or geometry.N == 0:
            return None
        if self._batch != 0 and geometry.N != self._batch:
            return None
        if not is_bytes and not self._usable(view, &geometry, checks):
            return None
        if out is None:
            out = self._empty((geometry.N, *self._result))
        elif type(out) is not self._array:
            return None
        return self._run_into(out, view, &geometry, is_bytes, threads)

    def axes(self, shape, strides, layout, bint is_bytes):
        """Return where the images of an array are: N and the bytes from one image, channel, row and column to the next.

        None if these are not images for this network.
        """
        cdef Geometry geometry
        cdef Py_ssize_t[4] sizes, steps
        cdef int i, ndim = len(shape)
        if ndim > 4:
            return None
        for i in range(ndim):
            sizes[i], steps[i] = shape[i], strides[i]
        if not self._understand(sizes, steps, ndim, layout, is_bytes, &geometry):
            return None
        return geometry.N, geometry.stride[0], geometry.stride[1], geometry.stride[2], geometry.stride[3]

    cdef bint _understand(self, const Py_ssize_t* shape, const Py_ssize_t* stride, int ndim, layout, bint is_bytes,
                          Geometry* geometry):
        # find the axes of the images
        cdef Py_ssize_t C = self._source.C, H = self._source.H, W = self._source.W
        cdef int c, h
        cdef bint planar
        if layout is not None and type(layout) is not str:
            return False
        planar = layout is not None and layout == "nchw"
        if not planar and layout is not None and layout != "nhwc":
            return False
        if C == 1 and 2 <= ndim <= 3 and shape[ndim - 2] == H and shape[ndim - 1] == W:
            # the axis of a single channel may be left out
            geometry.N = shape[0] if ndim == 3 else 1
            geometry.stride[0] = stride[0] if ndim == 3 else 0
            geometry.stride[1], geometry.stride[2], geometry.stride[3] = 0, stride[ndim - 2], stride[ndim - 1]
            return True
        if ndim <= 2:
            if H != 1 or W != 1 or ndim < 1 or shape[ndim - 1] != C:
                return False
            geometry.N = shape[0] if ndim == 2 else 1
            geometry.stride[0] = stride[0] if ndim == 2 else 0
            geometry.stride[1] = stride[ndim - 1]
            geometry.stride[2] = geometry.stride[3] = 0
            return True
        if ndim > 4 or (layout is None and not is_bytes and C > 1):
            return False
        geometry.N, geometry.stride[0] = 1, 0
        if ndim == 4:
            geometry.N, geometry.stride[0] = shape[0], stride[0]
            shape += 1
            stride += 1
        c, h = (0, 1) if planar else (2, 0)
        if shape[c] != C or shape[h] != H or shape[h + 1] != W:
            return False
        geometry.stride[1], geometry.stride[2], geometry.stride[3] = stride[c], stride[h], stride[h + 1]
        return True

    cdef bint _usable(self, Py_buffer* view, Geometry* geometry, int checks):
        # floats must be aligned; their values are looked at here only where they follow each other
        cdef Py_ssize_t i, expected = view.itemsize
        if <size_t>view.buf % 4:
            return False
        for i in range(4):
            if geometry.stride[i] % 4:
                return False
        if checks == 0:
            return True
        for i in range(view.ndim - 1, -1, -1):
            if view.shape[i] > 1 and view.strides[i] != expected:
                return False
            expected *= view.shape[i]
        if checks & FINITE == 0:
            return none_far(<const float*>view.buf, view.len // 4, self._low, self._high)
        if checks & NEAR == 0:
            return all_between(<const float*>view.buf, view.len // 4, -FLT_MAX, FLT_MAX)
        return all_between(<const float*>view.buf, view.len // 4, self._low, self._high)

    cdef object _run_into(self, out, Py_buffer* view, Geometry* geometry, bint is_bytes, int threads):
        cdef Py_buffer target
        cdef Py_ssize_t i
        try:
            PyObject_GetBuffer(out, &target, PyBUF_CONTIG | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return None
        try:
            if target.format[0] != c"f" or target.format[1] != 0 or target.ndim != 1 + len(self._result):
                return None
            if target.shape[0] != geometry.N or target.len != geometry.N * self._count * 4 or <size_t>target.buf % 4:
                return None
            for i in range(1, target.ndim):
                if target.shape[i] != self._result[i - 1]:
                    return None
            if _overlap(view, &target):
                return None
            self._compute(<const char*>view.buf, geometry, is_bytes, <float*>target.buf, threads)
        finally:
            PyBuffer_Release(&target)
        return out

    cdef int _compute(self, const char* data, const Geometry* geometry, bint is_bytes, float* results,
                      int threads) except -1:
        cdef ImageBatch batch
        cdef int i
        batch.n_sources = batch.n_sinks = 1
        batch.N = geometry.N
        batch.sources[0] = self._source
        batch.sources[0].is_bytes, batch.sources[0].data = is_bytes, data
        for i in range(4):
            batch.sources[0].stride[i] = geometry.stride[i]
        batch.sinks[0].count, batch.sinks[0].src, batch.sinks[0].data = self._count, self._place, results
        return self._program._run_batch(&batch, affordable(max(threads, 1)), self._batch != 0)


cdef bint _overlap(const Py_buffer* images, const Py_buffer* out) noexcept:
    # whether memory between the first and the last byte of both is the same; images may be stored backwards
    cdef const char* low = <const char*>images.buf
    cdef const char* high = low + images.itemsize
    cdef Py_ssize_t i
    for i in range(images.ndim):
        if images.strides[i] < 0:
            low += (images.shape[i] - 1) * images.strides[i]
        else:
            high += (images.shape[i] - 1) * images.strides[i]
    return low < <const char*>out.buf + out.len and <const char*>out.buf < high
