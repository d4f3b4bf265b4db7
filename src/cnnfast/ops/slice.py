"""Cutting a part out of each image."""

from __future__ import annotations

from typing import ClassVar

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import LIMIT, Array, Cost, Op, Shape, register, set_field


@register
@frozen
class Slice(Op):
    """Take elements at even distances along each axis: ``y[n, i, ...] = x[n, start[0] + i * step[0], ...]``.

    Parameters
    ----------
    start, count, step : tuple of int
        Of each axis of one image, without N: the first element, how many, and the distance from one to the next, which
        may be negative. ``step`` is 1 everywhere by default.

    Raises
    ------
    GraphError
        If the numbers of axes differ, a count is below 1, a step is 0, or an element is outside the image.

    Notes
    -----
    Equals ONNX Slice and ``x[:, 1:9:2]`` of NumPy and PyTorch; ONNX Split is several of them.

    Examples
    --------
    >>> Slice((0, 0, 0), (3, 4, 4), (1, 2, 2)).shape((3, 8, 8))
    (3, 4, 4)
    """

    name: ClassVar[str] = "slice"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    start: tuple[int, ...]
    count: tuple[int, ...]
    step: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        set_field(self, "start", tuple(self.start))
        set_field(self, "count", tuple(self.count))
        set_field(self, "step", tuple(self.step) or (1,) * len(self.start))
        if not len(self.start) == len(self.count) == len(self.step) > 0:
            raise GraphError(
                f"start, count and step of slice must have an entry for each axis, but they are {self.start}, "
                f"{self.count} and {self.step}"
            )
        if min(self.start) < 0 or min(self.count) < 1 or not all(0 < abs(s) <= LIMIT for s in self.step):
            raise GraphError(
                f"start, count and step of slice must be at least 0, at least 1, and not 0, but they are {self.start}, "
                f"{self.count} and {self.step}"
            )

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        if len(x) != len(self.start):
            raise GraphError(f"slice of {len(self.start)} axes does not fit an image of shape {x}")
        for axis, (size, start, count, step) in enumerate(zip(x, self.start, self.count, self.step, strict=True), 1):
            last = start + (count - 1) * step
            if not (start < size and 0 <= last < size):
                raise GraphError(f"slice takes elements {start} to {last} along axis {axis} of {x}")
        return self.count

    def reference(self, *inputs: Array) -> Array:
        y = inputs[0]
        for axis, indices in enumerate(self.indices(), start=1):
            y = y.take(indices, axis=axis)
        return y

    def indices(self) -> list[range]:
        """Return which elements are taken, along each axis of one image."""
        zipped = zip(self.start, self.count, self.step, strict=True)
        return [range(start, start + count * step, step) for start, count, step in zipped]

    def cost(self, *inputs: Shape) -> Cost:
        return Cost()
