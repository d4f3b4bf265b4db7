"""How large the result of an operator on constants will be, and how much work it is: known before it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from cnnfast.errors import ModelFileError
from cnnfast.formats.onnx.values import whole
from cnnfast.ops import Array

MAX_AXES = 16
NONE = 1 << 62
"""More than any machine has."""

FREE = ("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split", "Shape", "Size")
"""Operators that only look at an array in another way."""


def cost(kind: str, node: NodeProto, arrays: Sequence[Array]) -> tuple[int, int]:
    """Return how many elements a result will have, at most, and how many multiplications and moves it takes.

    Raises
    ------
    ModelFileError
        If the sizes that a node states are not valid.
    """
    elements = _elements(kind, node, arrays)
    if kind in ("MatMul", "Gemm") and arrays[0].ndim:
        return elements, elements * arrays[0].shape[-1]
    return elements, elements


def _elements(kind: str, node: NodeProto, arrays: Sequence[Array]) -> int:
    if kind == "Range":
        return _range(arrays)
    if kind in ("ConstantOfShape", "Expand", "Tile"):
        return _stated(kind, arrays)
    if kind == "Gather" and len(arrays) > 1:
        return arrays[0].size * arrays[1].size // max(1, min(arrays[0].shape, default=1))
    if kind in ("MatMul", "Gemm") and len(arrays) > 1:
        return _product(arrays[0], arrays[1], node)
    if kind in ("Concat", "NonZero"):
        return sum(a.size * max(a.ndim, 1) for a in arrays)
    try:
        return int(math.prod(np.broadcast_shapes(*(a.shape for a in arrays))))
    except ValueError:
        return sum(a.size for a in arrays)


def _product(a: Array, b: Array, node: NodeProto) -> int:
    """Return the elements of a product of matrices; a transposed one has as many as the other way round at most."""
    if node.attribute:
        return max(a.shape, default=1) * max(b.shape, default=1)
    front = max(math.prod(a.shape[:-2]), math.prod(b.shape[:-2]))
    return int(front * math.prod(a.shape[-2:-1]) * math.prod(b.shape[-1:]))


def _range(arrays: Sequence[Array]) -> int:
    if len(arrays) != 3 or any(a.size != 1 for a in arrays):
        raise ModelFileError(f"Range needs three numbers, but has shapes {[a.shape for a in arrays]}")
    start, limit, delta = (float(a.reshape(-1)[0]) for a in arrays)
    steps = (limit - start) / delta if delta else 0.0
    return min(int(steps) + 1, NONE) if 0 < steps < 1e18 else (NONE if steps >= 1e18 else 1)


def _stated(kind: str, arrays: Sequence[Array]) -> int:
    sizes = [abs(v) for v in whole(arrays[-1])]
    if len(sizes) > MAX_AXES:
        raise ModelFileError(f"{kind} would make {len(sizes)} axes")
    if kind == "Expand":
        try:
            return int(math.prod(np.broadcast_shapes(arrays[0].shape, tuple(sizes))))
        except ValueError:
            raise ModelFileError(f"Expand cannot make {sizes} of a constant of shape {arrays[0].shape}") from None
    own = arrays[0].size if kind == "Tile" else 1
    return math.prod(sizes) * max(own, 1)
