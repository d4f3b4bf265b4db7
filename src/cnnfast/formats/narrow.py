"""Weights in fewer bytes: what a file may round them to, and by how much that changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.model import Model
from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.ops.quantized import QUANTIZED_OPS
from cnnfast.runtime.arguments import quoted

FLOAT16 = "float16"
NOTE = "rounded"
"""The note of a file that says what rounding has done to its weights."""

LARGEST = float(np.finfo(np.float16).max)


def check_dtype(dtype: object) -> bool:
    """Return whether weights are to be rounded; None is the dtype that they have.

    Raises
    ------
    ConfigError
        If it is any other dtype than float16.

    Examples
    --------
    >>> check_dtype(np.float16), check_dtype(None)
    (True, False)
    """
    if dtype is None:
        return False
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]  # that is the question
    except (TypeError, ValueError):
        name = ""
    if name != FLOAT16:
        raise ConfigError(
            f"dtype must be {FLOAT16!r}, or None for the weights as they are, but is {quoted(dtype)}; "
            "cnnfast.quantize makes a network of eight-bit integers"
        )
    return True


def narrowed(model: Model) -> Model:
    """Return a model whose weights are float16, and whose note says what that has changed.

    Tensors of two or more axes are rounded to the nearest float16. Vectors stay what they are: biases and the
    statistics of batch-norm take few bytes, and where pixels are not scaled they exceed the range of float16. So does
    all that ops on bytes read.

    Raises
    ------
    ModelFileError
        If a weight is too large for float16.
    """
    graph = model.graph
    exact = {value for node in graph.nodes if node.op.name in QUANTIZED_OPS for value in node.inputs}
    constants = {
        name: _narrow(name, array) if _is_weight(array) and name not in exact else array
        for name, array in graph.constants.items()
    }
    text = _change(graph.constants, constants)
    notes = {**model.notes, NOTE: text} if text else model.notes
    return replace(model, graph=Graph(graph.inputs, graph.nodes, constants, graph.outputs), notes=notes)


def _is_weight(array: Array) -> bool:
    return array.ndim >= 2 and array.dtype.kind == "f"


def _narrow(name: str, array: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        half: np.ndarray[Any, Any] = array.astype(np.float16)
    if (large := np.isfinite(array) & ~np.isfinite(half)).any():
        raise ModelFileError(
            f"the tensor {name!r} holds {array[large][0]:g}, and float16 ends at {LARGEST:,.0f}: "
            "save it without dtype, as it is"
        )
    return half


def _change(exact: Mapping[str, Array], rounded: Mapping[str, Array]) -> str:
    """Return by how much weights have changed, or nothing where none has."""
    errors = {
        name: _relative_error(exact[name], array)
        for name, array in rounded.items()
        if array is not exact[name] and not np.array_equal(exact[name], array, equal_nan=True)
    }
    if not errors:
        return ""
    worst = max(errors, key=errors.__getitem__)
    tensors = f"{len(errors)} tensors" if len(errors) > 1 else "1 tensor"
    return f"{tensors} to {FLOAT16}, by at most {errors[worst]:.2g} of the largest value of a tensor ({worst})"


def _relative_error(exact: Array, rounded: Array) -> float:
    """Return the largest change of a value as a share of the largest value."""
    values = exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        change = np.abs(rounded - values)
    return float(np.nanmax(change) / np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
