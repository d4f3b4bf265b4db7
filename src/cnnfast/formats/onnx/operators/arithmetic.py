"""Arithmetic of several values, with broadcasting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import FoundScale, OnnxImages, Static, Value
from cnnfast.ops import Add, Array, Div, Identity, Maximum, Minimum, Mul, Op, Sub

TWO: dict[str, Op] = {"Add": Add(), "Sub": Sub(), "Mul": Mul(), "Div": Div()}
MANY: dict[str, Op] = {"Sum": Add(), "Mean": Add(), "Max": Maximum(), "Min": Minimum()}


@operator(*TWO)
def two(call: NodeCall) -> Value:
    """Emit arithmetic of two values."""
    pair = [call.given(0), call.given(1)]
    if any(isinstance(value, FoundScale) for value in pair):
        return _scaled(call, *sorted(pair, key=lambda value: not isinstance(value, FoundScale)))
    return joined(call, TWO[call.kind], call.value(0), call.value(1))


def _scaled(call: NodeCall, scale: Value, value: Value) -> Value:
    """Return the product with a scale found in the images: with a constant a scale, with integers real numbers."""
    if call.kind != "Mul" or not isinstance(scale, FoundScale) or scale.factor is None or isinstance(value, FoundScale):
        raise UnsupportedError("arithmetic of scales found in the images; their product with one constant is run")
    if isinstance(value, Static):
        return FoundScale(scale.source, scale.factor * value.array)
    held = value.integers
    if held is None or held.dtype.kind != "f" or held.scale != scale.source:
        raise UnsupportedError("a scale found in the images, but not the one that its integers are made of")
    return call.emit(Mul(), value.real, operand(Static.of(scale.factor), len(value.shape)))


@operator(*MANY)
def many(call: NodeCall) -> OnnxImages:
    """Emit arithmetic of any number of values, pair by pair."""
    values = [call.value(i) for i in range(len(call.inputs))]
    # constants last: the first two values must not both be constants
    values.sort(key=lambda value: isinstance(value, Static))
    result = values[0]
    for value in values[1:]:
        result = joined(call, MANY[call.kind], result, value)
    if call.kind == "Mean":
        return call.emit(Mul(), call.images(0) if result is values[0] else result, np.asarray(1 / len(values)))  # type: ignore[arg-type]
    return call.emit(Identity(), call.images(0)) if result is values[0] else result  # type: ignore[return-value]


def joined(call: NodeCall, op: Op, a: OnnxImages | Static, b: OnnxImages | Static) -> OnnxImages:
    """Emit an op of two values, at least one of them computed from the images."""
    ranks = [len(v.shape) for v in (a, b) if isinstance(v, OnnxImages)]
    if not ranks:
        raise UnsupportedError("its inputs are constants, and cnnfast does not compute it in advance")
    if len(ranks) == 2 and ranks[0] != ranks[1]:
        raise UnsupportedError(f"values of {ranks[0] + 1} and {ranks[1] + 1} axes would set images against pixels")
    if is_joined := all(_is_joined_or_number(v) for v in (a, b)):
        a, b = (v.apart if isinstance(v, OnnxImages) else v for v in (a, b))
    return replace(call.emit(op, *(operand(v, max(ranks)) for v in (a, b))), is_joined=is_joined)


def _is_joined_or_number(value: OnnxImages | Static) -> bool:
    return value.is_joined if isinstance(value, OnnxImages) else value.pair[0].size == 1


def operand(value: OnnxImages | Static, rank: int) -> OnnxImages | Array:
    """Return a value, or what a constant is for one image."""
    if isinstance(value, OnnxImages):
        return value
    array = value.of_one_image(rank)
    return array if array.dtype == np.float64 else array.astype(np.float32, copy=False)
