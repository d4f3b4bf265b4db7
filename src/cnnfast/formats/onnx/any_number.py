"""Whether what was computed for two numbers of images holds for every number of them.

Shapes grow with N in a straight line, so two numbers tell the rest: a comparison of such sizes comes out the same for
every N from 1 up, or the file depends on how many images there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.values import BATCHES
from cnnfast.ops import Array

EQUALITIES = ("Equal",)
ORDERS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min")


def check_for_any_number(kind: str, columns: Sequence[tuple[Array, ...]]) -> None:
    """Raise `UnsupportedError` if an operator decides by the number of images.

    Parameters
    ----------
    kind : str
        The operator.
    columns : sequence of pairs of arrays
        Each input, for both numbers of `BATCHES`.
    """
    if len(columns) < 2 or all(a is b for a, b in columns):
        return
    if kind in EQUALITIES or kind in ORDERS:
        for other in columns[1:]:
            if _meet(columns[0], other, only_whole=kind in EQUALITIES):
                raise UnsupportedError("it compares the number of images with another number")
    elif kind == "Div" and not _divides(columns[0], columns[1]):
        raise UnsupportedError("it divides the number of images and rounds the result")


def _meet(a: tuple[Array, ...], b: tuple[Array, ...], only_whole: bool) -> bool:
    """Return whether two straight lines meet at a number of images from 1 up."""
    if not (a[0].shape == a[1].shape and b[0].shape == b[1].shape):
        return True
    if not fit_together(a[0], b[0]):
        # an error of its own
        return False
    first, second = (x.astype(np.float64) - y.astype(np.float64) for x, y in zip(a, b, strict=True))
    slope = (second - first) / (BATCHES[1] - BATCHES[0])
    moving = slope != 0
    at = BATCHES[0] - first[moving] / slope[moving]
    return bool(((at >= 1) & (~np.bool_(only_whole) | (at == np.rint(at)))).any())


def fit_together(a: Array, b: Array) -> bool:
    """Return whether two arrays can be broadcast to one shape."""
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return True


def _divides(a: tuple[Array, ...], b: tuple[Array, ...]) -> bool:
    """Return whether integers that depend on the number of images are divided without a rest."""
    if a[0].dtype.kind not in "iu" or any((y == 0).any() for y in b):
        return True
    if not all(fit_together(x, y) for x, y in zip(a, b, strict=True)):
        return True
    fixed = np.array_equal(a[0], a[1]) and np.array_equal(b[0], b[1])
    return fixed or all(not (x % y).any() for x, y in zip(a, b, strict=True))
