"""Activations of Keras, wherever they are: as layers, as attributes of layers, and as functions of keras.ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.ops import Op

Step = Callable[[ImageGraph, str, Value], Value]
"""Appends one function to a value, under a name."""

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Klambauer et al., 2017."""


def each(op: Op) -> Step:
    """Return the step that applies a function of one element."""
    return lambda graph, name, x: graph.each(name, op, x)


def softmax(op: type[ops.Softmax] | type[ops.LogSoftmax], axis: int = -1) -> Step:
    """Return the step that applies a softmax along an axis of one image."""
    return lambda graph, name, x: graph.softmax(name, op, x, axis)


def _selu(graph: ImageGraph, name: str, x: Value) -> Value:
    return graph.pair(name, ops.Mul(), graph.each(f"{name}/elu", ops.Elu(SELU_ALPHA), x), np.array(SELU_SCALE))


STEPS: dict[str, Step | None] = {
    "linear": None,
    "relu": each(ops.Relu()),
    "relu6": each(ops.Clip(0, 6)),
    "leaky_relu": each(ops.LeakyRelu(0.2)),
    "elu": each(ops.Elu()),
    "selu": _selu,
    "sigmoid": each(ops.Sigmoid()),
    "tanh": each(ops.Tanh()),
    "silu": each(ops.Silu()),
    "swish": each(ops.Silu()),
    "hard_silu": each(ops.HardSwish()),
    "hard_swish": each(ops.HardSwish()),
    "hard_tanh": each(ops.Clip(-1, 1)),
    "gelu": each(ops.Gelu()),
    "mish": each(ops.Mish()),
    "softplus": each(ops.Softplus()),
    "softsign": each(ops.Softsign()),
    "exponential": each(ops.Exp()),
    "softmax": softmax(ops.Softmax),
    "log_softmax": softmax(ops.LogSoftmax),
}
"""Activations by the name in the file; hard_sigmoid depends on the version."""


def step_named(name: str, version: int) -> Step | None:
    """Return what an activation does, None for nothing.

    Raises
    ------
    UnsupportedError
        If there is no such activation.
    """
    if name == "hard_sigmoid":
        return each(ops.HardSigmoid(0.2) if version < 3 else ops.HardSigmoid(1 / 6))
    if name not in STEPS:
        raise UnsupportedError(f"activation={name:.40}; supported: {', '.join(sorted([*STEPS, 'hard_sigmoid']))}")
    return STEPS[name]


def name_of(value: Any) -> str:
    """Return the name of an activation in a config: a word, or an object for a function or a layer without attributes.

    Raises
    ------
    UnsupportedError
        For anything else, which is a function outside of the file.
    """
    if value is None:
        return "linear"
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    if not isinstance(value, str):
        raise UnsupportedError(f"activation={value!r:.40}, which is not a name of an activation")
    return value
