# What a step can touch, from its geometry alone: the net below the planner. Kernels check nothing, so a program asks
# here, once, when it is made. Each rule names the first element and the one behind the last that a kernel reads or
# writes of its operands (x0, x1, x2), result (y) and workspace (work), in words of four bytes from where each begins,
# and how many words it reads of its parameters (p0, p1) and entries of its tables (t0 ... t4). The record of every
# kernel names its rule; the fields of `g` are those of the struct that the kernel reads.


class Fields:
    """The numbers of a geometry, by name."""

    def __init__(self, ints):
        self.__dict__.update(ints)


class Reach:
    """The geometry of a step, as its rule reads it.

    Attributes
    ----------
    g : Fields
        Those of the kernel's struct in kernels/geometry.pxi.
    tables : list of (least, largest, length, offsets) or None
    L, unit : int
        Lanes, and words in an element of the layout.
    """

    def __init__(self, ints, tables, lanes, unit):
        self.g, self.tables, self.L, self.unit = Fields(ints), tables, lanes, unit

    def vectors(self, channels):
        """Return how many vectors hold that many channels."""
        return -(-channels // self.L)

    def table(self, index):
        """Return the least and the largest offset in a table."""
        if index >= len(self.tables) or self.tables[index] is None:
            raise ValueError(f"table {index} is missing")
        return self.tables[index][:2]

    def span(self, *axes, at=(0, 0), unit=None):
        """Return what a loop over (count, stride) touches, from an offset within ``at``."""
        low, high = at
        for count, stride in axes:
            if count <= 0:
                return None
            low, high = low + min((count - 1) * stride, 0), high + max((count - 1) * stride, 0)
        unit = unit or self.unit
        return low * unit, (high + 1) * unit

    def image(self, name, channels=None, height=None, width=None):
        """Return what a loop over channels, rows and columns touches, those of the input where none are given."""
        g = self.g
        c = g.C if channels is None else channels
        h, w = (g.H if height is None else height), (g.W if width is None else width)
        return self.span((c, getattr(g, name + "_c")), (h, getattr(g, name + "_r")), (w, 1))

    def block(self, name, sizes):
        """Return what a loop over three axes with numbered strides touches; ``sizes`` are their letters."""
        return self.span(*((getattr(self.g, size), getattr(self.g, f"{name}{i}")) for i, size in enumerate(sizes)))


def _count(*numbers):
    total = 1
    for number in numbers:
        total *= max(number, 0)
    return total


cdef tuple extremes(const int[::1] table):
    # the least and the largest offset, how many there are, and the offsets
    cdef int least = table[0], largest = table[0]
    cdef Py_ssize_t i
    for i in range(1, table.shape[0]):
        least, largest = min(least, table[i]), max(largest, table[i])
    return least, largest, table.shape[0], table


cdef Py_ssize_t furthest(const int[::1] offsets, const int[::1] rows, const int[::1] cols, Py_ssize_t row):
    # the last element of tiles with that many rows and columns
    cdef Py_ssize_t i, last = -1
    for i in range(min(offsets.shape[0], min(rows.shape[0], cols.shape[0]))):
        if rows[i] > 0 and cols[i] > 0:
            last = max(last, offsets[i] + max((rows[i] - 1) * row, <Py_ssize_t>0) + cols[i] - 1)
    return last
