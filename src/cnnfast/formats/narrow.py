"""Weights in fewer bytes: what a file may round them to, and by how much that changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import scaled
from cnnfast.formats.model import Model
from cnnfast.formats.tensors import widened
from cnnfast.graph import Graph
from cnnfast.ops import OPS, Array
from cnnfast.ops.quantized import QUANTIZED_OPS
from cnnfast.runtime.arguments import quoted

FLOAT16, INT8 = "float16", "int8"
DTYPES = (FLOAT16, INT8)
"""What weights may be stored as, besides what they are."""
NOTE = "rounded"
"""The note of a file that says what rounding has done to its weights."""

LARGEST = float(np.finfo(np.float16).max)
FEW = 4096
"""Weights of fewer values stay as they are in a file of eight bits: often those of the first and the last layer, where
rounding changes most labels and saves least."""


@frozen
class Stored:
    """A model as a file holds it.

    Attributes
    ----------
    model : Model
        With the notes of the file.
    arrays : dict of str to array
        The tensors of the file.
    scales : dict of str to str
        The name of the scale of each tensor of integers that stands for floats.
    """

    model: Model
    arrays: Mapping[str, Array]
    scales: Mapping[str, str]


def check_dtype(dtype: object) -> str | None:
    """Return what weights are to be rounded to; None is the dtype that they have.

    Raises
    ------
    ConfigError
        If it is none of `DTYPES`.

    Examples
    --------
    >>> check_dtype(np.float16), check_dtype(None)
    ('float16', None)
    """
    if dtype is None:
        return None
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]  # that is the question
    except (TypeError, ValueError):
        name = ""
    if name not in DTYPES:
        raise ConfigError(
            f"dtype must be {FLOAT16!r}, {INT8!r}, or None for the weights as they are, but is {quoted(dtype)}"
        )
    return str(name)


def stored(model: Model, dtype: str | None) -> Stored:
    """Return what a file holds of a model, with weights of a dtype of `DTYPES`, and a note that says what that changes.

    For float16, tensors of two or more axes are rounded to the nearest. Vectors stay what they are: biases and the
    statistics of batch-norm take few bytes, and where pixels are not scaled they exceed the range of float16. So does
    all that ops on bytes read.

    For int8, the weights of convolutions and dense layers are rounded, but those of fewer than `FEW` values; see
    `cnnfast.formats.scaled`.

    Raises
    ------
    ModelFileError
        If a weight is too large for the dtype, or not finite and the dtype an integer.
    """
    exact = model.graph.constants
    arrays, scales = dict(exact), {}
    if dtype == FLOAT16:
        arrays |= {name: _half(name, exact[name]) for name in _of_two_axes(model.graph)}
    elif dtype == INT8:
        for name in _of_layers(model.graph):
            arrays[name], scale = _integers(name, exact[name])
            scales[name] = scaled.scale_name(name, arrays)
            arrays[scales[name]] = scale
    floats = in_memory(arrays, scales)
    text = _change(exact, floats, dtype or "")
    earlier = model.notes.get(NOTE)
    notes = {**model.notes, NOTE: f"{earlier}; then {text}" if earlier else text} if text else model.notes
    return Stored(replace(model, notes=notes), arrays, scales)


def in_memory(arrays: Mapping[str, Array], scales: Mapping[str, str]) -> dict[str, Array]:
    """Return the tensors of a file as a network computes with them: float32 instead of what rounding made of it.

    Raises
    ------
    ModelFileError
        If a scale is not there, or does not fit.
    """
    floats = {name: widened(array) for name, array in scaled.with_floats(arrays, scales).items()}
    for name, array in floats.items():
        if array is not arrays[name]:
            array.flags.writeable = False
    return floats


def _of_two_axes(graph: Graph) -> list[str]:
    """Return the names of all floats of two or more axes, but those that ops on bytes read."""
    exact = {value for node in graph.nodes if node.op.name in QUANTIZED_OPS for value in node.inputs}
    return [n for n, array in graph.constants.items() if array.ndim >= 2 and array.dtype.kind == "f" and n not in exact]


def _of_layers(graph: Graph) -> list[str]:
    """Return the names of the many floats that nothing reads but convolutions and dense layers, as their weights."""
    weights: set[str] = set()
    others: set[str] = set()
    for node in graph.nodes:
        place = len(node.op.data) if node.op.name in OPS and node.op.parameters[:1] == ("weight",) else -1
        weights.update(node.inputs[place : place + 1] if place >= 0 else ())
        others.update(value for index, value in enumerate(node.inputs) if index != place)
    chosen = weights - others
    constants = sorted(graph.constants.items())
    return [n for n, array in constants if n in chosen and array.size >= FEW and array.dtype.kind == "f"]


def _half(name: str, array: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        half: np.ndarray[Any, Any] = array.astype(np.float16)
    if (large := np.isfinite(array) & ~np.isfinite(half)).any():
        raise ModelFileError(
            f"the tensor {name!r} holds {array[large][0]:g}, and float16 ends at {LARGEST:,.0f}: "
            "save it without dtype, as it is"
        )
    return half


def _integers(name: str, array: Array) -> tuple[Array, Array]:
    if np.isfinite(array).all():
        integers, scale = scaled.split(array)
        if np.isfinite(scaled.joined(integers, scale)).all():
            return integers, scale
    worst = array.reshape(-1)[np.abs(array).argmax()]
    raise ModelFileError(f"the tensor {name!r} holds {worst:g}, which {INT8} cannot: save it without dtype, as it is")


def _change(exact: Mapping[str, Array], rounded: Mapping[str, Array], dtype: str) -> str:
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
    return f"{tensors} to {dtype}, by at most {errors[worst]:.2g} of the largest value of a tensor ({worst})"


def _relative_error(exact: Array, rounded: Array) -> float:
    """Return the largest change of a value as a share of the largest value."""
    values = exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        change = np.abs(rounded - values)
    return float(np.nanmax(change) / np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
