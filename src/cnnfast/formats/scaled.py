"""Weights as a file holds them in eight bits: integers, and a scale for each output channel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats.tensors import MAX_NAME
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.ops.quantized.conv_linear import MAX_WEIGHT

SUFFIX = ".scale"


def split(weight: Array) -> tuple[Array, Array]:
    """Return the integers and scales whose product is as near to a weight as 255 steps for each output channel allow.

    The largest value of a channel becomes 127 or -127. Then its scale is fitted to the integers by least squares,
    which takes a few percent of the error; to leave out the largest values was measured too, and is worth nothing.

    Parameters
    ----------
    weight : array (O, ...)

    Returns
    -------
    integers : int8 array (O, ...)
    scale : float32 array (O, 1, ...)

    Examples
    --------
    >>> integers, scale = split(np.array([[0.5, -1.0], [0.25, 0.0]]))
    >>> integers
    array([[  64, -127],
           [ 127,    0]], dtype=int8)
    >>> joined(integers, scale)
    array([[ 0.503..., -0.998...],
           [ 0.25   ,  0.     ]], dtype=float32)
    """
    integers = np.empty(weight.shape, np.int8)
    scale = np.empty((len(weight), *(1,) * (weight.ndim - 1)), np.float32)
    # one by one, so that a large layer takes little memory
    for channel, values in enumerate(weight):
        integers[channel], scale[channel] = _split(values.astype(np.float64))
    return integers, scale


def _split(values: Array) -> tuple[Array, np.float32]:
    largest = np.abs(values).max()
    if not largest:
        return np.zeros(values.shape), np.float32(0)
    integers = np.rint(values / (largest / MAX_WEIGHT))
    with np.errstate(over="ignore", under="ignore"):
        fitted = np.float32((values * integers).sum() / (integers**2).sum())
    # weights that were stored once get their own scale again, so that their bytes stay
    nearby = (fitted, np.nextafter(fitted, np.float32(0)), np.nextafter(fitted, np.float32(np.inf)))
    return integers, next((s for s in nearby if np.array_equal(joined(integers.astype(np.int8), s), values)), fitted)


def joined(integers: Array, scale: Array | np.float32) -> Array:
    """Return the float32 weights that integers and a scale stand for: one product each, the same on every CPU."""
    with np.errstate(over="ignore"):
        product: Array = integers * scale
    return product


def scale_name(name: str, *taken: Mapping[str, object]) -> str:
    """Return a name for the scale of a weight, which nothing else has.

    Examples
    --------
    >>> scale_name("fc.weight", {"fc.weight": 0})
    'fc.weight.scale'
    """
    return fresh_name(f"{name[: MAX_NAME - 2 * len(SUFFIX)]}{SUFFIX}", *taken)


def with_floats(arrays: Mapping[str, Array], scales: Mapping[str, str]) -> dict[str, Array]:
    """Return the tensors of a file, with floats in place of integers that have a scale, and without the scales.

    Raises
    ------
    ModelFileError
        If a tensor is not there, or integers and scale do not fit.
    """
    floats = {weight: _checked(weight, scale, arrays) for weight, scale in scales.items()}
    used = set(scales.values())
    return {name: floats.get(name, array) for name, array in arrays.items() if name not in used}


def _checked(weight: str, scale: str, arrays: Mapping[str, Array]) -> Array:
    for name, dtype in ((weight, np.int8), (scale, np.float32)):
        if name not in arrays:
            raise ModelFileError(f"the scale of {weight!r} is {scale!r}, but there is no tensor {name!r}")
        if arrays[name].dtype != dtype:
            raise ModelFileError(
                f"the tensor {name!r} is {arrays[name].dtype}, but integers with a scale are int8, and scales float32"
            )
    integers, factors = arrays[weight], arrays[scale]
    sizes = zip(factors.shape, integers.shape, strict=False)
    if factors.ndim != integers.ndim or any(size not in (1, whole) for size, whole in sizes):
        raise ModelFileError(
            f"the scale {scale!r} has the shape {factors.shape}, which must have as many axes as {weight!r} with "
            f"{integers.shape}, each as long or 1"
        )
    # negated, so that NaN fails too
    if not (np.all(factors >= 0) and np.isfinite(factors).all()):
        raise ModelFileError(f"the scale {scale!r} of {weight!r} must be finite and not negative")
    return joined(integers, factors)
