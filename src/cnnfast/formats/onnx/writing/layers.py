"""Convolution, dense layer, pools and norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.formats.onnx.writing.rules import writes
from cnnfast.formats.onnx.writing.target import WriteCall


@writes(ops.Conv2d)
def conv2d(call: WriteCall) -> None:
    """Padding is in the same order: top, left, bottom, right."""
    op: ops.Conv2d = call.op
    call.finish("Conv", *call.inputs, **window(op), group=op.groups, kernel_shape=list(call.shapes[1][2:]))


def window(op: ops.Conv2d | ops.MaxPool | ops.AvgPool) -> dict[str, list[int]]:
    """Return what convolutions and pools have in common."""
    return dict(strides=list(op.stride), pads=list(op.padding), dilations=list(op.dilation))


@writes(ops.Linear)
def linear(call: WriteCall) -> None:
    """The weights are (O, F) there too, with ``transB``."""
    call.finish("Gemm", *call.inputs, transB=1)


@writes(ops.MaxPool)
def max_pool(call: WriteCall) -> None:
    """What ceil mode adds is written as padding, since programs do not agree on where its last window may start."""
    op: ops.MaxPool = call.op
    _, height, width = call.shapes[0]
    pads = list(op.overhang(height, width))
    call.finish("MaxPool", call.input(0), **{**window(op), "pads": pads}, kernel_shape=list(op.kernel))


@writes(ops.AvgPool)
def avg_pool(call: WriteCall) -> None:
    """Write means of windows."""
    kind, inputs, attributes = means(call, call.op, call.input(0))
    call.finish(kind, *inputs, **attributes)


def means(call: WriteCall, op: ops.AvgPool, x: str) -> tuple[str, list[str], dict[str, Any]]:
    """Return the operator that makes means of windows, its inputs and its attributes.

    Dilation and ceil mode are written as sums of windows, times one over how many elements each has.
    """
    channels, height, width = call.shapes[0]
    pads = list(op.overhang(height, width))
    if op.dilation == (1, 1) and (tuple(pads) == op.padding or not op.count_padding):
        shared = dict(strides=list(op.stride), pads=pads, kernel_shape=list(op.kernel))
        return "AveragePool", [x], {**shared, "count_include_pad": int(op.count_padding)}
    ones = call.add("ones", np.ones((channels, 1, *op.kernel)))
    options = {**window(op), "pads": pads}
    sums = call.emit("Conv", x, ones, **options, group=channels, kernel_shape=list(op.kernel))
    return "Mul", [sums, call.add("parts", 1 / op.divisors(height, width))], {}


@writes(ops.GlobalAvgPool, ops.GlobalMaxPool)
def global_pool(call: WriteCall) -> None:
    """Axes of size 1 stay there; bytes are made numbers and bytes again, because the operators take numbers only."""
    kind = "GlobalAveragePool" if isinstance(call.op, ops.GlobalAvgPool) else "GlobalMaxPool"
    steps: list[tuple[str, list[str], dict[str, Any]]] = [(kind, [], {})]
    if not call.op.keep_dims:
        steps.append(("Flatten", [], {"axis": 1}))
    if call.is_bytes(0):
        grid = call.grid_of(0)
        steps.insert(0, ("DequantizeLinear", grid, {}))
        steps.append(("QuantizeLinear", grid, {}))
    x = call.input(0)
    for operator, others, attributes in steps[:-1]:
        x = call.emit(operator, x, *others, **attributes)
    operator, others, attributes = steps[-1]
    call.finish(operator, x, *others, **attributes)


REDUCTIONS: dict[type, str] = {
    ops.ReduceMean: "ReduceMean",
    ops.ReduceSum: "ReduceSum",
    ops.ReduceMax: "ReduceMax",
    ops.ReduceMin: "ReduceMin",
}


@writes(*REDUCTIONS)
def reduce(call: WriteCall) -> None:
    """A single number for each image is a row of one here."""
    kind, axes = REDUCTIONS[type(call.op)], list(call.op.axes)
    to_row = not call.op.keep_dims and len(axes) == call.rank
    options = {"keepdims": int(call.op.keep_dims or to_row)}
    inputs = [call.input(0)]
    if kind == "ReduceSum":
        inputs.append(call.whole("axes", axes))
    else:
        options["axes"] = axes  # type: ignore[assignment]
    if to_row:
        call.finish("Flatten", call.emit(kind, *inputs, **options), axis=1)
    else:
        call.finish(kind, *inputs, **options)


@writes(ops.BatchNorm)
def batch_norm(call: WriteCall) -> None:
    """The parameters are in the same order."""
    call.finish("BatchNormalization", *call.inputs, epsilon=call.op.eps)


@writes(ops.LayerNorm)
def layer_norm(call: WriteCall) -> None:
    """Only the last axes are normalized there, so others are brought to the end and back."""
    op: ops.LayerNorm = call.op
    others = [axis for axis in range(1, call.rank + 1) if axis not in op.axes]
    order = [0, *others, *op.axes]
    sizes = [call.shapes[0][axis - 1] for axis in op.axes]
    is_last = order == sorted(order)
    x = call.input(0) if is_last else call.emit("Transpose", call.input(0), perm=order)
    scale = call.input(1) if call.has(1) else call.add("scale", np.ones(sizes))
    inputs = [x, scale, *([call.input(2)] if call.has(2) else [])]
    options = dict(axis=len(others) + 1, epsilon=op.eps)
    if is_last:
        call.finish("LayerNormalization", *inputs, **options)
    else:
        y = call.emit("LayerNormalization", *inputs, **options)
        call.finish("Transpose", y, perm=[order.index(axis) for axis in range(len(order))])


@writes(ops.GroupNorm)
def group_norm(call: WriteCall) -> None:
    """A group is one channel of an instance norm: the operator GroupNormalization is newer."""
    groups, shape = call.op.groups, call.shapes[0]
    flat = call.emit("Reshape", call.input(0), call.whole("groups", [0, groups, -1]))
    ones, zeros = call.add("ones", np.ones(groups)), call.add("zeros", np.zeros(groups))
    y = call.emit("InstanceNormalization", flat, ones, zeros, epsilon=call.op.eps)
    steps = [("Reshape", call.whole("shape", [0, *shape]))]
    for index, kind in ((1, "Mul"), (2, "Add")):
        if call.has(index):
            by_channel = call.constant(index).reshape(-1, *(1,) * (len(shape) - 1))
            steps.append((kind, call.add(call.op.parameters[index - 1].rstrip("?"), by_channel)))
    for kind, other in steps[:-1]:
        y = call.emit(kind, y, other)
    call.finish(steps[-1][0], y, steps[-1][1])


@writes(ops.Lrn)
def lrn(call: WriteCall) -> None:
    """Windows of an even number of channels are written out, since programs do not agree on where they begin."""
    op: ops.Lrn = call.op
    x = call.input(0)
    if op.size % 2:
        call.finish("LRN", x, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.bias)
        return
    count = call.shapes[0][0]
    distance = np.arange(count) - np.arange(count)[:, None]
    near = (-((op.size - 1) // 2) <= distance) & (distance <= op.size // 2)
    parts = call.add("parts", near[..., None, None] * (op.alpha / op.size))
    energy = call.emit("Conv", call.emit("Mul", x, x), parts, call.add("bias", np.full(count, op.bias)))
    power = call.emit("Exp", call.emit("Mul", call.emit("Log", energy), call.add("beta", op.beta)))
    call.finish("Div", x, power)
