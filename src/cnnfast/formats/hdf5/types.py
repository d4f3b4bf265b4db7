"""Types of elements, and shapes."""

from __future__ import annotations

import math

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.hdf5.data import Data

INTEGER, FLOAT, STRING, VARIABLE = 0, 1, 3, 9
NAMES = {
    0: "integers",
    1: "floats",
    2: "times",
    3: "texts",
    4: "bits",
    5: "opaque bytes",
    6: "compounds",
    7: "references",
    8: "enumerations",
    9: "lists of any length",
    10: "arrays",
}
"""What the elements are, by the class of a type."""

IEEE = {2: (5, 10), 4: (8, 23), 8: (11, 52)}
"""Bits of exponent and mantissa by size."""
BFLOAT16 = (8, 7)

MAX_AXES = 32
MAX_SIDE = 1 << 48


@frozen
class Type:
    """The type of an element.

    Attributes
    ----------
    name : str
        For messages.
    size : int
        Bytes.
    numbers : str
        What NumPy calls it, "bfloat16", or "" where it is not a number.
    is_text, is_variable : bool
        A text of ``size`` bytes, or one that is in the heap.
    """

    name: str
    size: int
    numbers: str = ""
    is_text: bool = False
    is_variable: bool = False


def read_type(data: Data, at: int) -> Type:
    """Read a type."""
    first, bits, size = data.number(at, 1), data.number(at + 1, 3), data.number(at + 4, 4)
    kind = first & 15
    name = NAMES.get(kind, f"type {kind}")
    if kind == STRING:
        return Type(name, size, is_text=True)
    if kind == VARIABLE and bits & 15 == 1:
        return Type("texts", size, is_text=True, is_variable=True)
    order = ">" if bits & 1 else "<"
    if kind == INTEGER and size in (1, 2, 4, 8) and data.number(at + 8, 2) == 0 and data.number(at + 10, 2) == 8 * size:
        return Type(name, size, f"{order}{'i' if bits & 8 else 'u'}{size}")
    if kind == FLOAT:
        exponent, mantissa = data.number(at + 13, 1), data.number(at + 15, 1)
        if IEEE.get(size) == (exponent, mantissa) and not bits & 0x40:
            return Type(name, size, f"{order}f{size}")
        if size == 2 and (exponent, mantissa) == BFLOAT16 and order == "<":
            return Type(name, size, "bfloat16")
        name = f"floats with {exponent} bits of exponent and {mantissa} of mantissa"
    return Type(name, size)


def read_shape(data: Data, at: int) -> tuple[int, ...] | None:
    """Read a shape; None stands for no element at all, () for one."""
    version, rank = data.number(at, 1), data.number(at + 1, 1)
    if version not in (1, 2) or rank > MAX_AXES:
        raise ModelFileError(f"the shape at byte {at} of HDF5 is of version {version} with {rank} axes")
    if version == 2 and data.number(at + 3, 1) == 2:
        return None
    shape = tuple(data.numbers(at + (8 if version == 1 else 4), rank))
    if max(shape, default=0) > MAX_SIDE:
        raise ModelFileError(f"an array of shape {shape} is stated at byte {at} of HDF5; no side may exceed {MAX_SIDE}")
    return shape


def as_numbers(
    raw: memoryview, kind: Type, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return bytes as float32."""
    raw = raw[: math.prod(shape) * kind.size]
    with np.errstate(over="ignore", invalid="ignore"):
        if kind.numbers == "bfloat16":
            return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return np.frombuffer(raw, kind.numbers).astype(np.float32).reshape(shape)
