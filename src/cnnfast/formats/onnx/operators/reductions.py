"""Sums, means and extremes over axes."""

from __future__ import annotations

from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import OnnxImages
from cnnfast.ops import Abs, Exp, Identity, Log, Mul, ReduceMax, ReduceMean, ReduceMin, ReduceSum, Sqrt
from cnnfast.ops.reduce import Reduce, simplest

KINDS: dict[str, type[Reduce]] = {
    "ReduceMean": ReduceMean,
    "ReduceSum": ReduceSum,
    "ReduceMax": ReduceMax,
    "ReduceMin": ReduceMin,
    "ReduceL1": ReduceSum,
    "ReduceL2": ReduceSum,
    "ReduceSumSquare": ReduceSum,
    "ReduceLogSum": ReduceSum,
    "ReduceLogSumExp": ReduceSum,
}

PLAIN = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
"""Those that leave an element alone which they join with no other."""


@operator(*KINDS)
def reduce(call: NodeCall) -> OnnxImages:
    """Reduce over axes of each image."""
    x = call.images(0)
    axes = call.listed(1, "axes", 13 if call.kind == "ReduceSum" else 18, ())
    keep_dims, noop = bool(call.integer("keepdims", 1)), call.integer("noop_with_empty_axes", 0)
    if not axes:
        if noop and call.kind in PLAIN:
            return call.emit(Identity(), x)
        raise UnsupportedError("it reduces over all axes, so over the images too")
    op = KINDS[call.kind](tuple(call.axis(axis, len(x.shape)) for axis in axes), keep_dims)
    if not op.keep_dims and len(op.axes) == len(x.shape):
        raise UnsupportedError("it leaves a single number for each image and no axis for it; keepdims=1 is run")
    if call.kind == "ReduceL1":
        x = call.emit(Abs(), x)
    elif call.kind in ("ReduceL2", "ReduceSumSquare"):
        x = call.emit(Mul(), x, x)
    elif call.kind == "ReduceLogSumExp":
        x = call.emit(Exp(), x)
    y = call.emit(simplest(op, x.shape), x)
    if call.kind == "ReduceL2":
        return call.emit(Sqrt(), y)
    return call.emit(Log(), y) if call.kind.startswith("ReduceLog") else y
