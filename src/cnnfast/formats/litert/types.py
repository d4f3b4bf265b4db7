"""Types of values: what makes one of another, and plain integers, which floats hold only as far as they are exact."""

from __future__ import annotations

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.litert.model import DTYPES, LiteRtTensor
from cnnfast.formats.litert.operator_call import OperatorCall, operator
from cnnfast.formats.litert.ranges import MOVES
from cnnfast.formats.litert.rounding import truncated
from cnnfast.ops import Array, Identity

EXACT = (*MOVES, "CAST", "PAD", "PADV2", "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "NEG", "ABS", "SIGN")
"""Operators whose result is the same in integers and in floats."""

COPIES = (
    *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CONCATENATION", "SPLIT", "SLICE", "STRIDED_SLICE"),
    *("PAD", "PADV2", "MIRROR_PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
)
"""Operators that an interpreter runs on integers whatever they stand for; converters give them one scale all over."""

CONVERSIONS = ("CAST", "QUANTIZE", "DEQUANTIZE")


def check_types(call: OperatorCall) -> None:
    """Check that a result is of the type of what it is computed from, and that floats can stand for it.

    Raises
    ------
    ModelFileError
        If an operator that converts nothing makes one type of another.
    UnsupportedError
        For arithmetic of plain integers, which rounds or wraps where floats do not, and for a copy of integers that
        stand for other numbers than before.
    """
    computed = [index for index in call.operator.inputs if isinstance(call.values.get(index), Value)]
    result, kind = call.result(), call.operator.kind
    types = {call.model.tensors[index].dtype for index in computed} | {result.dtype}
    if len(types) > 1 and kind not in CONVERSIONS:
        raise ModelFileError(f"its values are of the types {', '.join(sorted(types))}; they must be of one type")
    rescales = kind == "CONCATENATION" and result.dtype == "UINT8"
    grids = [call.model.tensors[index] for index in computed]
    if kind in COPIES and not rescales and not all(result.has_grid_of(tensor) for tensor in grids):
        raise UnsupportedError("it copies integers, but what reads them takes another scale or zero point for theirs")
    if computed and not (result.is_float or result.is_quantized or kind in EXACT):
        raise UnsupportedError(f"it computes with integers ({result.dtype}), and cnnfast with floats")


@operator("CAST")
def _cast(call: OperatorCall) -> Value | Array:
    operand, before, after = call.operand(0), call.tensor(0), call.result()
    # LiteRT goes by the types of the tensors alone
    call.operator.options.without_effect("InDataType", "OutDataType")
    if before.is_quantized or after.is_quantized:
        raise UnsupportedError("it takes quantized integers for plain ones; remove the CAST")
    if after.dtype not in DTYPES:
        raise UnsupportedError(f"it makes {after.dtype}; supported: {', '.join(DTYPES)}")
    if not isinstance(operand, Value):
        return operand.astype(DTYPES[after.dtype])
    if before.is_float and not after.is_float and after.dtype != "BOOL":
        return truncated(call.graph, call.name, operand)
    if not _holds(before, after):
        raise UnsupportedError(f"it makes {after.dtype} of {before.dtype}, which does not hold all of its numbers")
    return call.graph.each(call.name, Identity(), operand)


def _holds(before: LiteRtTensor, after: LiteRtTensor) -> bool:
    """Return whether every number of one type is one of another, floats of all sizes taken for equal."""
    if after.is_float:
        return before.is_float or before.dtype in DTYPES
    return before.dtype in DTYPES and np.can_cast(DTYPES[before.dtype], DTYPES[after.dtype])


@operator("QUANTIZE", "DEQUANTIZE")
def _same_number(call: OperatorCall) -> Value | Array:
    """Return what another type holds: the same number, since all of them are float here."""
    operand = call.operand(0)
    if isinstance(operand, Value):
        return call.graph.each(call.name, Identity(), operand)
    numbers = np.asarray(operand, np.float32)
    return _rounded(numbers, call.result()) if call.operator.kind == "QUANTIZE" else numbers


def _rounded(numbers: Array, tensor: LiteRtTensor) -> Array:
    """Return the numbers nearest to a constant's that a quantized tensor can hold."""
    limits = tensor.limits()
    if limits is None:
        return numbers
    scale = float(tensor.grid()[0][0])
    steps = np.rint(numbers.astype(np.float64) / scale) * scale
    return np.clip(steps, *limits).astype(np.float32)
