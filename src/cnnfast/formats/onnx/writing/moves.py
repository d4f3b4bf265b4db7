"""What moves, cuts and resizes."""

from __future__ import annotations

import numpy as np

from cnnfast import ops
from cnnfast.formats.onnx.writing.rules import writes
from cnnfast.formats.onnx.writing.target import WriteCall
from cnnfast.ops import Array

BEFORE_ALL = -(1 << 31)
"""Where a slice with a negative step ends that takes the first element too."""


@writes(ops.Flatten)
def flatten(call: WriteCall) -> None:
    """Axis 0 counts the images."""
    call.finish("Flatten", call.input(0), axis=1)


@writes(ops.Reshape)
def reshape(call: WriteCall) -> None:
    """A size of 0 keeps the number of images."""
    call.finish("Reshape", call.input(0), call.whole("shape", [0, *call.result_shape]))


@writes(ops.Transpose)
def transpose(call: WriteCall) -> None:
    """The order counts from N = 0 there too."""
    call.finish("Transpose", call.input(0), perm=list(call.op.order))


@writes(ops.Slice)
def slice_(call: WriteCall) -> None:
    """Ends follow from counts."""
    op: ops.Slice = call.op
    ends = [start + count * step for start, count, step in zip(op.start, op.count, op.step, strict=True)]
    ends = [BEFORE_ALL if end < 0 else end for end in ends]
    axes = list(range(1, len(op.start) + 1))
    named = (("starts", op.start), ("ends", ends), ("axes", axes), ("steps", op.step))
    call.finish("Slice", call.input(0), *(call.whole(name, numbers) for name, numbers in named))


MODES = ("constant", "edge", "reflect")
"""Of padding in operator set 17; the others are written as elements that are taken."""


@writes(ops.Pad)
def pad(call: WriteCall) -> None:
    """Pads come as all that is before, then all that is behind."""
    op: ops.Pad = call.op
    around = ((0, 0), *op.around())
    if op.mode in MODES:
        x, amounts = call.input(0), call.whole("pads", [pair[0] for pair in around] + [pair[1] for pair in around])
        value = (
            [call.add("value", op.value, np.uint8 if call.is_bytes(0) else np.float32)] if op.mode == "constant" else []
        )
        call.finish("Pad", x, amounts, *value, mode=op.mode)
        return
    taken = call.input(0)
    for axis, (size, amount) in enumerate(zip(call.shapes[0], op.around(), strict=True), 1):
        indices = np.pad(np.arange(size), amount, mode=op.mode)  # type: ignore[call-overload]
        taken = call.emit("Gather", taken, call.whole("indices", indices), axis=axis)
    call.finish("Identity", taken)


@writes(ops.Resize)
def resize(call: WriteCall) -> None:
    """Sizes with the number of images in front; what is newer than operator set 17 is written as two products."""
    op: ops.Resize = call.op
    is_newer = op.antialias or op.coordinates == "half_pixel_symmetric" or bool(op.scale_h or op.scale_w)
    if is_newer:
        _as_products(call)
        return
    x = call.input(0)
    front = call.emit("Slice", call.emit("Shape", x), call.whole("first", [0]), call.whole("end", [2]))
    sizes = call.emit("Concat", front, call.whole("sizes", op.size), axis=0)
    options: dict[str, str | float] = dict(
        mode=op.mode, coordinate_transformation_mode=op.coordinates, nearest_mode=op.rounding
    )
    if op.mode == "cubic":
        options["cubic_coeff_a"] = op.cubic
    call.finish("Resize", x, "", "", sizes, **options, exclude_outside=int(op.exclude_outside))


def _as_products(call: WriteCall) -> None:
    """Write interpolation along each axis as a product with a matrix of its weights."""
    _, height, width = call.shapes[0]
    rows = call.emit("MatMul", call.input(0), call.add("columns", _matrix(call.op, width, 1).T))
    turned = call.emit("Transpose", rows, perm=[0, 1, 3, 2])
    both = call.emit("MatMul", turned, call.add("rows", _matrix(call.op, height, 0).T))
    call.finish("Transpose", both, perm=[0, 1, 3, 2])


def _matrix(op: ops.Resize, size: int, axis: int) -> Array:
    """Return the weight of each element of an axis (size) for each of the result, (outputs, size)."""
    indices, weights = op.taps(size, axis)
    matrix = np.zeros((len(indices), size))
    for column in range(indices.shape[1]):
        np.add.at(matrix, (np.arange(len(indices)), indices[:, column]), weights[:, column])
    return matrix
