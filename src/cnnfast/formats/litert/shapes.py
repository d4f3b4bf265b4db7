"""Operators of LiteRT that move, cut, join, reduce or enlarge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.litert.operator_call import Apply, OperatorCall, operator
from cnnfast.ops import Pad, Reduce, ReduceMax, ReduceMean, ReduceMin, ReduceSum, Resize

MIRRORS = {0: "reflect", 1: "symmetric"}


@operator("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(call: OperatorCall) -> Value:
    x, target = call.value(), call.target()
    _check_stated(call, x)
    if not target and math.prod(x.shape) == 1:
        return call.graph.flatten(call.name, x)
    if len(x.shape) == 3 and x.shape[0] == 1 and target == (*x.shape[1:], 1):
        # the same elements in the same order, and a transpose may meet its opposite
        return call.graph.transpose(call.name, x, (1, 2, 0))
    return call.graph.reshape(call.name, x, target)


def _check_stated(call: OperatorCall, x: Value) -> None:
    """Raise an error if what the operator states and the shape that the file states for its result are not the same."""
    found = call.result().shape
    stated = _STATED[call.operator.kind](call, [call.images, *x.shape])
    if stated is None:
        return
    # the file may have been made for one image, and its operators for any number of them
    fits = all(size in (-1, have) for size, have in zip(stated[1:], found[1:], strict=False))
    if len(stated) != len(found) or not fits:
        raise ModelFileError(f"it makes {stated} of {(call.images, *x.shape)}, but its output has the shape {found}")


def _stated_by_reshape(call: OperatorCall, shape: list[int]) -> list[int] | None:
    stated = list(call.operator.options["NewShape"]) or None
    # an input says it once more, and comes first; one that is computed is the shape of some value
    index = call.operator.inputs[1] if len(call.operator.inputs) > 1 else -1
    return call.integers(1) if index != -1 and call.model.tensors[index].buffer is not None else stated


def _stated_by_squeeze(call: OperatorCall, shape: list[int]) -> list[int]:
    dropped = [axis + len(shape) if axis < 0 else axis for axis in call.operator.options["SqueezeDims"]]
    if not dropped:
        return [size for size in shape if size != 1]
    if any(not 1 <= axis < len(shape) or shape[axis] != 1 for axis in dropped):
        raise ModelFileError(
            f"it drops the axes {dropped} of {shape}; each must be behind that of the images, of size 1"
        )
    return [size for axis, size in enumerate(shape) if axis not in dropped]


def _stated_by_expand_dims(call: OperatorCall, shape: list[int]) -> list[int]:
    (axis,) = call.integers(1)[:1] or [0]
    axis += len(shape) + 1 if axis < 0 else 0
    if not 1 <= axis <= len(shape):
        raise UnsupportedError(f"its new axis {axis} is before that of the images, or out of range")
    return [*shape[:axis], 1, *shape[axis:]]


_STATED = {"RESHAPE": _stated_by_reshape, "SQUEEZE": _stated_by_squeeze, "EXPAND_DIMS": _stated_by_expand_dims}


@operator("TRANSPOSE")
def _transpose(call: OperatorCall) -> Value:
    x, order = call.value(), call.integers(1)
    if sorted(order) != list(range(len(x.shape) + 1)):
        raise ModelFileError(f"it must permute {len(x.shape) + 1} axes, but its order is {order}")
    if order[0] != 0:
        raise UnsupportedError(f"its order {order} moves the axis of the images")
    return call.graph.transpose(call.name, x, [axis - 1 for axis in order[1:]])


@operator("CONCATENATION")
def _concatenation(call: OperatorCall) -> Value:
    values = [call.value(index) for index in range(len(call.operator.inputs))]
    axis = call.axis(call.operator.options["Axis"], len(values[0].shape))
    return call.graph.concat(call.name, values, axis)


@operator("SPLIT")
def _split(call: OperatorCall) -> list[Value]:
    x, count = call.value(1), len(call.operator.outputs)
    (axis,) = call.integers(0)[:1] or [0]
    axis = call.axis(axis, len(x.shape))
    wanted = call.operator.options["NumSplits"]
    if wanted != count or x.shape[axis] % count:
        raise ModelFileError(f"it splits {x.shape[axis]} elements into {wanted} parts and has {count} outputs")
    each = x.shape[axis] // count
    parts = []
    for index in range(count):
        start = [index * each if a == axis else 0 for a in range(len(x.shape))]
        parts.append(call.graph.slice(call.names[index], x, start, [each if s else d for s, d in _marked(x, axis)]))
    return parts


def _marked(x: Value, axis: int) -> list[tuple[bool, int]]:
    return [(index == axis, size) for index, size in enumerate(x.shape)]


@operator("SLICE")
def _slice(call: OperatorCall) -> Value:
    x, begin, count = call.value(), call.integers(1), call.integers(2)
    if not len(begin) == len(count) == len(x.shape) + 1:
        raise ModelFileError(f"begin {begin} and size {count} must have {len(x.shape) + 1} entries")
    if begin[0] != 0:
        raise UnsupportedError("it drops images")
    counts = [size - b if c == -1 else c for size, b, c in zip(x.shape, begin[1:], count[1:], strict=True)]
    return call.graph.slice(call.name, x, begin[1:], counts)


@operator("STRIDED_SLICE")
def _strided_slice(call: OperatorCall) -> Value:
    x, options = call.value(), call.operator.options
    begin, end, step = (call.integers(index) for index in (1, 2, 3))
    if any(options[mask] for mask in ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask")):
        raise UnsupportedError("its masks for ellipsis, new axes or single elements are set")
    if not len(begin) == len(end) == len(step) == len(x.shape) + 1 or min(step) < 1:
        raise UnsupportedError(f"begin, end and strides must have {len(x.shape) + 1} entries, and strides be positive")
    starts, counts = [], []
    for axis, size in enumerate((1, *x.shape)):
        first = 0 if options["BeginMask"] >> axis & 1 else _clipped(begin[axis], size)
        last = size if options["EndMask"] >> axis & 1 else _clipped(end[axis], size)
        if options["Offset"] and not options["EndMask"] >> axis & 1:
            last = _clipped(first + end[axis], size)
        starts.append(first)
        counts.append(max(-(-(last - first) // step[axis]), 0))
    if starts[0] != 0 or counts[0] != 1:
        raise UnsupportedError("it drops images")
    return call.graph.slice(call.name, x, starts[1:], counts[1:], step[1:])


def _clipped(place: int, size: int) -> int:
    return min(max(place + size if place < 0 else place, 0), size)


def _reduce(kind: type[Reduce]) -> Apply:
    def apply(call: OperatorCall) -> Value:
        x = call.value()
        axes = [call.axis(axis, len(x.shape)) for axis in call.integers(1)]
        return call.graph.reduce(call.name, kind, x, axes, bool(call.operator.options["KeepDims"]))

    return apply


for _kind, _op in {"MEAN": ReduceMean, "SUM": ReduceSum, "REDUCE_MAX": ReduceMax, "REDUCE_MIN": ReduceMin}.items():
    operator(_kind)(_reduce(_op))


@operator("PAD", "PADV2", "MIRROR_PAD")
def _pad(call: OperatorCall) -> Value:
    x, sides = call.value(), call.integers(1)
    if len(x.shape) != 3 or len(sides) != 8 or min(sides) < 0:
        raise UnsupportedError(f"paddings {sides} of {x.shape}; supported: images (H, W, C)")
    if any(sides[:2]) or any(sides[6:]):
        raise UnsupportedError(f"paddings {sides} add images or channels; supported: rows and columns")
    value, mode = 0.0, "constant"
    if call.operator.kind == "PADV2":
        value = float(np.asarray(call.array(2), np.float64).ravel()[0])
    elif call.operator.kind == "MIRROR_PAD":
        number = call.operator.options["Mode"]
        if number not in MIRRORS:
            raise ModelFileError(f"its mode must be 0 or 1, but is {number}")
        mode = MIRRORS[number]
    top, bottom, left, right = sides[2:6]
    return call.graph.add(call.name, Pad((top, left, bottom, right), value, mode), x)


@operator("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(call: OperatorCall) -> Value:
    size, options = _two(call.integers(1)), call.operator.options
    if options["AlignCorners"] and options["HalfPixelCenters"]:
        raise UnsupportedError("its options align_corners and half_pixel_centers exclude each other")
    if options["AlignCorners"]:
        coordinates = "align_corners"
    else:
        coordinates = "half_pixel" if options["HalfPixelCenters"] else "asymmetric"
    if call.operator.kind == "RESIZE_BILINEAR":
        return call.graph.add(call.name, Resize(size, "linear", coordinates), call.value())
    rounding = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
    return call.graph.add(call.name, Resize(size, "nearest", coordinates, rounding), call.value())


def _two(values: Sequence[int]) -> tuple[int, int]:
    if len(values) != 2:
        raise ModelFileError(f"its size must be (H, W), but is {values}")
    return values[0], values[1]
