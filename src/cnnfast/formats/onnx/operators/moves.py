"""What moves, joins and cuts: Concat, Split, Slice, Gather, Pad, DepthToSpace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.fold import slices, split_sizes
from cnnfast.formats.onnx.operators.arithmetic import operand
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.operators.shapes import reshaped
from cnnfast.formats.onnx.values import OnnxImages, Static, whole
from cnnfast.ops import Concat, Identity, Pad, Reshape, Shape, Slice, Transpose

PAD_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "wrap": "wrap"}
MAX_PIECES = 64


@operator("Concat")
def concat(call: NodeCall) -> OnnxImages:
    """Join values along an axis."""
    values = [call.value(i) for i in range(len(call.inputs))]
    rank = max(len(v.shape) for v in values if isinstance(v, OnnxImages))
    op = Concat(call.axis(call.integer("axis"), rank))
    parts = [operand(v, rank) for v in values if not (isinstance(v, Static) and 0 in v.pair[0].shape)]
    return call.emit(op, *parts)


@operator("Split")
def split(call: NodeCall) -> list[OnnxImages]:
    """Cut along an axis."""
    x = call.images(0)
    axis = call.axis(call.integer("axis", 0), len(x.shape), x.at)
    sizes = split_sizes(call, x.shape[axis - 1])
    starts = np.cumsum([0, *sizes[:-1]])
    pieces = [
        cut(call, x.in_front, {axis: range(start, start + count)})
        for start, count in zip(starts.tolist(), sizes, strict=True)
    ]
    return [replace(piece, at=x.at) for piece in pieces]


@operator("Slice")
def slice_(call: NodeCall) -> OnnxImages:
    """Take a part of each image."""
    x = call.images(0)
    taken: dict[int, range] = {}
    for start, end, axis, step in zip(*slices(call, len(x.shape) + 1), strict=True):
        if axis == x.at:
            if (start, step) != (0, 1) or end < 1 << 30:
                raise UnsupportedError(f"it cuts along axis {axis}, which counts the images")
            continue
        inner = call.axis(axis, len(x.shape), x.at)
        size = x.shape[inner - 1]
        stop = None if step < 0 and end < -size else end
        taken[inner] = range(size)[start:stop:step]
    return replace(cut(call, x.in_front, taken), at=x.at)


def cut(call: NodeCall, x: OnnxImages, taken: dict[int, range]) -> OnnxImages:
    """Emit a slice of some axes, counted from N = 0."""
    ranges = [taken.get(axis, range(size)) for axis, size in enumerate(x.shape, 1)]
    if any(len(r) == 0 for r in ranges):
        raise ModelFileError(f"{call.kind} leaves nothing of images of shape {x.shape}")
    op = Slice(tuple(r.start for r in ranges), tuple(map(len, ranges)), tuple(r.step for r in ranges))
    return call.emit(op, x)


@operator("Gather")
def gather(call: NodeCall) -> OnnxImages:
    """Take elements of one axis by constant numbers."""
    x = call.images(0)
    axis = call.axis(call.integer("axis", 0), len(x.shape), x.at)
    indices, size = call.static(1), x.shape[axis - 1]
    wanted = whole(indices)
    if any(not -size <= i < size for i in wanted):
        raise ModelFileError(f"Gather takes element {wanted[:8]} of an axis of {size}")
    wanted = [i % size for i in wanted]
    if indices.ndim > 1 or not wanted:
        raise UnsupportedError(f"indices of shape {indices.shape}; a number and a row are run")
    if indices.ndim == 0:
        one = cut(call, x.in_front, {axis: range(wanted[0], wanted[0] + 1)})
        rest = reshaped(call, one, tuple(s for i, s in enumerate(x.shape, 1) if i != axis))
        return replace(rest, at=x.at - (axis <= x.at))
    pieces = [cut(call, x.in_front, {axis: run}) for run in _runs(wanted)]
    return replace(pieces[0] if len(pieces) == 1 else call.emit(Concat(axis), *pieces), at=x.at)


def _runs(wanted: list[int]) -> list[range]:
    """Return numbers as ranges with even steps, one after the other."""
    runs: list[range] = []
    i = 0
    while i < len(wanted):
        step = wanted[i + 1] - wanted[i] if i + 1 < len(wanted) else 1
        end = i + 1
        while step and end < len(wanted) and wanted[end] - wanted[end - 1] == step:
            end += 1
        runs.append(range(wanted[i], wanted[i] + (end - i) * (step or 1), step or 1))
        i = end
        if len(runs) > MAX_PIECES:
            raise UnsupportedError(f"{len(wanted)} indices in no order")
    return runs


@operator("Pad")
def pad(call: NodeCall) -> OnnxImages:
    """Surround each image; negative amounts cut it."""
    x = call.images(0)
    rank = len(x.shape) + 1
    mode = call.text("mode", "constant")
    if mode not in PAD_MODES:
        raise UnsupportedError(f"mode {mode!r}; it must be one of {', '.join(PAD_MODES)}")
    amounts = call.listed(1, "pads", 11)
    value = call.real("value", 0.0) if call.opset < 11 else call.number(2, 0.0)
    if x.integers is not None:
        value = float(x.integers.numbers(np.asarray(value)))
    axes = whole(call.static(3)) if call.has(3) else list(range(rank))
    if len(amounts) != 2 * len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise ModelFileError(f"pads {amounts[:16]} for the axes {axes[:16]} do not fit {rank} axes")
    around = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        around[axis] = (amounts[index], amounts[index + len(axes)])
    if around[0] != (0, 0):
        raise UnsupportedError("it adds images")
    return padded(call, _cropped(call, x, around[1:]), [(max(a, 0), max(b, 0)) for a, b in around[1:]], mode, value)


def _cropped(call: NodeCall, x: OnnxImages, around: Sequence[tuple[int, int]]) -> OnnxImages:
    if all(min(pair) >= 0 for pair in around):
        return x
    taken = {
        axis: range(max(-before, 0), size - max(-after, 0))
        for axis, (size, (before, after)) in enumerate(zip(x.shape, around, strict=True), 1)
    }
    return cut(call, x, taken)


def padded(call: NodeCall, x: OnnxImages, around: Sequence[tuple[int, int]], mode: str, value: float) -> OnnxImages:
    """Emit a pad of images of one to three axes."""
    if not any(map(any, around)):
        return call.emit(Identity(), x)
    if len(x.shape) > 3:
        raise UnsupportedError(f"images of shape {x.shape}; up to three axes are run")
    missing = 3 - len(x.shape)
    channels, rows, columns = [(0, 0)] * missing + list(around)
    as_image = call.emit(Reshape((1,) * missing + x.shape), x) if missing else x
    op = Pad((rows[0], columns[0], rows[1], columns[1]), value, PAD_MODES[mode], channels)
    y = call.emit(op, as_image)
    return call.emit(Reshape(y.shape[missing:]), y) if missing else y


@operator("DepthToSpace", "SpaceToDepth")
def depth_to_space(call: NodeCall) -> OnnxImages:
    """Move channels to pixels, or pixels to channels."""
    x, b = call.images(0), call.integer("blocksize")
    if len(x.shape) != 3 or b < 1:
        raise UnsupportedError(f"images of shape {x.shape} with blocks of {b}")
    c, h, w = x.shape
    if call.kind == "SpaceToDepth":
        order = (0, 3, 5, 1, 2, 4) if call.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
        return _turned(call, x, (c, h // b, b, w // b, b), order, (c * b * b, h // b, w // b))
    result = (c // (b * b), h * b, w * b)
    if call.text("mode", "DCR") == "DCR":
        return _turned(call, x, (b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2), result)
    return _turned(call, x, (c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3), result)


def _turned(call: NodeCall, x: OnnxImages, apart: Shape, order: Shape, result: Shape) -> OnnxImages:
    if min(apart) < 1:
        raise ModelFileError(f"{call.kind} does not fit images of shape {x.shape}")
    return call.emit(Reshape(result), call.emit(Transpose(order), call.emit(Reshape(apart), x)))
