"""Operators on constants, computed with NumPy while a file is read: shapes and what is made of them, and weights.

Every operator first says how large its result is; a file of a few hundred bytes must not take gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.budget import ReadBudget
from cnnfast.formats.onnx.any_number import check_for_any_number
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.growth import FREE, cost
from cnnfast.formats.onnx.proto import DTYPES, REAL
from cnnfast.formats.onnx.values import Static, whole
from cnnfast.ops import Array
from cnnfast.ops.activation import erf, sigmoid
from cnnfast.runtime.registry import Registry

Fold = Callable[[NodeCall, Sequence[Array]], Any]

FOLDS: Registry[str, Fold] = Registry("folds of ONNX")
"""What each operator makes of constants."""


def fold(call: NodeCall, budget: ReadBudget) -> list[Static]:
    """Compute a node whose inputs are all constants.

    Raises
    ------
    UnsupportedError
        If the operator cannot be folded, or its results would be too large.
    ModelFileError
        If its inputs do not fit.
    """
    if call.kind not in FOLDS:
        raise UnsupportedError("all its inputs are constants, and cnnfast does not compute it in advance")
    columns: list[tuple[Array, ...]] = [v.pair for v in call.inputs if isinstance(v, Static)]
    same = all(a is b for a, b in columns)
    check_for_any_number(call.kind, columns)
    results = []
    for index in range(1 if same else 2):
        arrays = [column[index] for column in columns]
        _ask(call, arrays, budget)
        try:
            with np.errstate(all="ignore"):
                out = FOLDS[call.kind](call, arrays)
        except (ValueError, IndexError, TypeError, ArithmeticError, MemoryError) as error:
            if isinstance(error, ModelFileError | UnsupportedError):
                raise
            shapes = [a.shape for a in arrays]
            raise ModelFileError(f"{call.kind} cannot be computed for constants of shapes {shapes}: {error}") from None
        made = out if isinstance(out, list) else [np.asarray(out)]
        for array in made:
            budget.take(array, call.kind)
        results.append(made)
    return [Static((a, b)) for a, b in zip(results[0], results[-1], strict=True)]


def _ask(call: NodeCall, arrays: Sequence[Array], budget: ReadBudget) -> None:
    """Ask for what a result will take, and for the work."""
    if call.kind in FREE:
        return
    elements, work = cost(call.kind, call.node, arrays)
    budget.ask(elements * max((a.itemsize for a in arrays), default=8), f"{call.kind}, computed in advance,")
    budget.ask_work(work + sum(a.size for a in arrays), f"{call.kind}, computed in advance,")


folds = FOLDS.register
"""Enter a function for one or more operators."""


def _simple(function: Callable[..., Any]) -> Fold:
    return lambda call, arrays: function(*arrays)


def _integer_division(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        # toward zero, as in C
        whole_part: Array = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
        return whole_part.astype(a.dtype)
    quotient: Array = a / b
    return quotient


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Identity": lambda a: a,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _integer_division,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Erf": erf,
    "Abs": np.abs,
    "Neg": np.negative,
    "Reciprocal": lambda a: 1 / a,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Sign": np.sign,
    "Sigmoid": sigmoid,
    "Tanh": np.tanh,
    "Relu": lambda a: np.maximum(a, 0),
    "Not": np.logical_not,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Where": np.where,
    "MatMul": np.matmul,
    "Size": lambda a: np.array(a.size, np.int64),
    "NonZero": lambda a: np.array(np.nonzero(a), np.int64),
    "Range": lambda a, b, c: np.arange(a.reshape(-1)[0], b.reshape(-1)[0], c.reshape(-1)[0], dtype=a.dtype),
    "Expand": lambda a, shape: a * np.ones(whole(shape), a.dtype),
    "Tile": lambda a, repeats: np.tile(a, whole(repeats)),
}
FOLDS |= {name: _simple(function) for name, function in ELEMENTWISE.items()}


@folds("Max", "Min", "Sum")
def _several(call: NodeCall, arrays: Sequence[Array]) -> Array:
    function = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}[call.kind]
    result = arrays[0]
    for other in arrays[1:]:
        result = function(result, other)
    return result


@folds("Clip")
def _clip(call: NodeCall, arrays: Sequence[Array]) -> Array:
    if call.opset < 11:
        bounds = [np.asarray(call.bound("min", -math.inf)), np.asarray(call.bound("max", math.inf))]
        return np.asarray(np.minimum(np.maximum(arrays[0], bounds[0]), bounds[1])).astype(arrays[0].dtype)
    result = np.maximum(arrays[0], call.static(1)) if call.has(1) else arrays[0]
    return (np.minimum(result, call.static(2)) if call.has(2) else result).astype(arrays[0].dtype)


@folds("Gemm")
def _gemm(call: NodeCall, arrays: Sequence[Array]) -> Array:
    a, b = (x.T if call.flag(name) else x for x, name in zip(arrays, ("transA", "transB"), strict=False))
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    product = alpha * (a @ b)
    if len(arrays) > 2:
        product = product + beta * arrays[2]
    return np.asarray(product).astype(arrays[0].dtype)


@folds("Softmax", "LogSoftmax")
def _softmax(call: NodeCall, arrays: Sequence[Array]) -> Array:
    x = arrays[0]
    axis = call.integer("axis", -1 if call.opset >= 13 else 1)
    axes = (axis,) if call.opset >= 13 else tuple(range(axis % x.ndim, x.ndim))
    shifted = x - x.max(axis=axes, keepdims=True)
    total = np.exp(shifted).sum(axis=axes, keepdims=True)
    return np.asarray(np.exp(shifted) / total if call.kind == "Softmax" else shifted - np.log(total))


@folds("Shape")
def _shape(call: NodeCall, arrays: Sequence[Array]) -> Array:
    return np.array(arrays[0].shape, np.int64)[call.integer("start", 0) : call.optional_integer("end")]


@folds("Cast", "CastLike")
def _cast(call: NodeCall, arrays: Sequence[Array]) -> Array:
    call.ignore("saturate", "round_mode")
    if call.kind == "CastLike":
        if arrays[1].dtype not in DTYPES.values():
            raise UnsupportedError(f"a cast to type {arrays[1].dtype}")
        return arrays[0].astype(arrays[1].dtype)
    kind = call.integer("to")
    if kind not in DTYPES:
        raise UnsupportedError(f"a cast to type {kind}")
    dtype = DTYPES[kind]
    return arrays[0].astype(np.float32 if dtype.kind == "V" or dtype.name == "bfloat16" else dtype)


@folds("ConstantOfShape")
def _constant_of_shape(call: NodeCall, arrays: Sequence[Array]) -> Array:
    value = call.attribute("value", np.zeros(1, np.float32))
    return np.full(whole(arrays[0]), np.asarray(value).reshape(-1)[0])


@folds("Gather")
def _gather(call: NodeCall, arrays: Sequence[Array]) -> Array:
    return np.take(arrays[0], arrays[1].astype(np.int64), axis=call.integer("axis", 0))


@folds("Concat")
def _concat(call: NodeCall, arrays: Sequence[Array]) -> Array:
    return np.concatenate(list(arrays), axis=call.integer("axis"))


@folds("Reshape", "Flatten")
def _reshape(call: NodeCall, arrays: Sequence[Array]) -> Array:
    if call.kind == "Flatten":
        axis = call.integer("axis", 1)
        axis += arrays[0].ndim if axis < 0 else 0
        return arrays[0].reshape(math.prod(arrays[0].shape[:axis]), -1)
    target = whole(arrays[1])
    if not call.flag("allowzero"):
        target = [arrays[0].shape[i] if size == 0 else size for i, size in enumerate(target)]
    return arrays[0].reshape(target)


@folds("Transpose")
def _transpose(call: NodeCall, arrays: Sequence[Array]) -> Array:
    return arrays[0].transpose(call.attribute("perm", None))


@folds("Unsqueeze")
def _unsqueeze(call: NodeCall, arrays: Sequence[Array]) -> Array:
    axes = call.listed(1, "axes", 13)
    if len(axes) > 16:
        raise ModelFileError(f"Unsqueeze would make {len(axes)} axes")
    return np.expand_dims(arrays[0], tuple(axes))


@folds("Squeeze")
def _squeeze(call: NodeCall, arrays: Sequence[Array]) -> Array:
    axes = call.listed(1, "axes", 13, ())
    return arrays[0].squeeze(tuple(axes) if axes else None)


@folds("Slice")
def _slice(call: NodeCall, arrays: Sequence[Array]) -> Array:
    starts, ends, axes, steps = slices(call, arrays[0].ndim)
    index = [slice(None)] * arrays[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # -1 as an end that counts from the front cannot be written in Python
        stop = None if step < 0 and end < -arrays[0].shape[axis] else end
        index[axis] = slice(start, stop, step)
    return arrays[0][tuple(index)]


def slices(call: NodeCall, rank: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return starts, ends, axes and steps of a Slice on a value of ``rank`` axes."""
    starts, ends = call.listed(1, "starts", 10), call.listed(2, "ends", 10)
    axes = call.listed(3, "axes", 10, range(len(starts)))
    steps = whole(call.static(4)) if call.opset >= 10 and call.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ModelFileError(f"starts {starts}, ends {ends}, axes {axes} and steps {steps} of Slice do not fit")
    if any(not -rank <= axis < rank for axis in axes):
        raise ModelFileError(f"axes {axes} of Slice are out of range for {rank} axes")
    return starts, ends, [axis % rank for axis in axes], steps


@folds("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean")
def _reduce(call: NodeCall, arrays: Sequence[Array]) -> Array:
    kinds: dict[str, Any] = {"Prod": np.prod, "Sum": np.sum, "Max": np.max, "Min": np.min, "Mean": np.mean}
    function = kinds[call.kind[6:]]
    axes = call.listed(1, "axes", 13 if call.kind == "ReduceSum" else 18, ())
    if call.flag("noop_with_empty_axes") and not axes:
        return arrays[0]
    result = function(arrays[0], axis=tuple(axes) if axes else None, keepdims=call.flag("keepdims", True))
    return np.asarray(result).astype(arrays[0].dtype)


@folds("Split")
def _split(call: NodeCall, arrays: Sequence[Array]) -> list[Array]:
    axis = call.integer("axis", 0)
    return np.split(arrays[0], np.cumsum(split_sizes(call, arrays[0].shape[axis]))[:-1], axis=axis)


def split_sizes(call: NodeCall, size: int) -> list[int]:
    """Return the sizes into which Split cuts an axis: those that it states, else equal ones but the last."""
    pieces = len(call.node.output)
    if call.integer("num_outputs", pieces) != pieces:
        raise ModelFileError(f"num_outputs of Split is {call.integer('num_outputs')}, but it has {pieces} results")
    sizes = call.listed(1, "split", 13, ())
    if not sizes:
        largest = -(-size // pieces)
        sizes = [min(largest, size - i * largest) for i in range(pieces)]
    if len(sizes) != pieces or sum(sizes) != size or min(sizes) < 0:
        raise ModelFileError(f"Split cannot cut {size} into {sizes[:16]}")
    return sizes


@folds("DequantizeLinear")
def _dequantize(call: NodeCall, arrays: Sequence[Array]) -> Array:
    result_is_real(call)
    zero = arrays[2] if len(arrays) > 2 else np.zeros_like(arrays[1])
    scale, zero = (along(call, part, arrays[0].ndim, call.integer("axis", 1)) for part in (arrays[1], zero))
    return ((arrays[0].astype(np.float64) - zero.astype(np.float64)) * scale).astype(np.float32)


@folds("QuantizeLinear")
def _quantize(call: NodeCall, arrays: Sequence[Array]) -> Array:
    call.ignore("saturate", "precision")
    zero = quantized_zero(call, arrays[1])
    dtype = zero.dtype
    scale, zero = (along(call, part, arrays[0].ndim, call.integer("axis", 1)) for part in (arrays[1], zero))
    limits = np.iinfo(dtype)
    integers: Array = np.clip(np.rint(arrays[0] / scale) + zero.astype(np.float64), limits.min, limits.max)
    return integers.astype(dtype)


def quantized_zero(call: NodeCall, scale: Array) -> Array:
    """Return the zero point of QuantizeLinear: its input, else 0 of the type that ``output_dtype`` states, or uint8."""
    stated = call.integer("output_dtype", 0)
    if stated and stated not in DTYPES:
        raise UnsupportedError(f"output_dtype {stated}")
    if not call.has(2):
        return np.zeros(scale.shape, DTYPES[stated] if stated else np.uint8)
    zero = call.static(2)
    if stated and DTYPES[stated] != zero.dtype:
        raise UnsupportedError(f"output_dtype is {DTYPES[stated]}, but the zero point is {zero.dtype}")
    return zero


def result_is_real(call: NodeCall) -> None:
    """Refuse a DequantizeLinear whose result is to be anything but real numbers; all of these are float32 here."""
    kind = call.integer("output_dtype", 0)
    if kind and kind not in REAL:
        raise UnsupportedError(f"output_dtype {kind}")


def along(call: NodeCall, part: Array, rank: int, axis: int) -> Array:
    """Return scales or zero points so that they broadcast along an axis of a quantized node."""
    if part.size == 1:
        return part.reshape(())
    if part.ndim != 1 or call.integer("block_size", 0):
        raise UnsupportedError("scales in blocks")
    shape = [1] * rank
    shape[axis] = -1
    return part.reshape(shape)
