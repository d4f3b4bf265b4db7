"""Where a file of LiteRT says what its integers stand for."""

from __future__ import annotations

import numpy as np

from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.integers import FoundIntegers
from cnnfast.formats.litert.model import LiteRtTensor
from cnnfast.formats.litert.operator_call import OperatorCall
from cnnfast.ops import Array

WEIGHTS = ("INT8", "UINT8", "INT4")

FILTERS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""The axis of the weights that counts the outputs."""

HALVES = {"INT8": "out", "UINT8": "up"}
"""To where LiteRT rounds the halves of an average pool: away from the integer 0, which is our byte 128 or 0."""


def note_value(found: FoundIntegers, graph: ImageGraph, value: Value | Array, tensor: LiteRtTensor) -> None:
    """Note what a tensor of bytes stands for."""
    if isinstance(value, Value) and tensor.scales.size == 1:
        scale, zero = (float(v[0]) for v in tensor.grid())
        for name in graph.names_of(value):
            found.note(name, tensor.dtype.lower(), scale, zero)


def note_weights(found: FoundIntegers, layer: Value | Array, call: OperatorCall) -> None:
    """Note the scales of the weights of a layer, or why it stays in float."""
    kind = call.operator.kind
    if kind not in FILTERS or not isinstance(layer, Value):
        return
    tensor, axis = call.tensor(1), FILTERS[kind]
    scales, _ = tensor.grid()
    for name in call.graph.names_of(layer):
        if tensor.dtype not in WEIGHTS or not tensor.is_quantized:
            found.in_float[name] = f"its weights are {tensor.dtype} in the file"
        elif scales.size > 1 and tensor.axis != axis:
            found.in_float[name] = "its weights have a scale for each input channel"
        else:
            found.scales[name] = np.broadcast_to(scales, (tensor.shape[axis],))


def note_pool(found: FoundIntegers, pool: Value | Array, call: OperatorCall, result: LiteRtTensor) -> None:
    """Note to where an average pool of bytes rounds halves."""
    if call.operator.kind == "AVERAGE_POOL_2D" and isinstance(pool, Value) and result.dtype in HALVES:
        for name in call.graph.names_of(pool):
            found.halves[name] = HALVES[result.dtype]
