"""A model of LiteRT as plain values: tensors, operators, and constants as the numbers that they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.budget import ReadBudget
from cnnfast.formats.litert.options import OperatorOptions
from cnnfast.ops import Array, Shape

EXPANSION = 8
"""How many times the file's size its constants take as float32 where all of them are of 4 bits and none is shared.

A buffer may be shared by thousands of constants, each of which becomes a separate array; so what they take beyond
that is bounded by what reading may take at all.
"""

DTYPES = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "FLOAT64": "<f8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "BOOL": "?",
}
"""NumPy's names for the types of tensors, by their names in the schema; INT4 is read besides."""

QUANTIZED = {"UINT8": (0, 255), "INT8": (-128, 127), "INT16": (-32768, 32767)}
"""The integers that a value between layers may be made of."""


@frozen
class LiteRtTensor:
    """A value of the file.

    Attributes
    ----------
    name : str
    shape : Shape
        With N in front, as in the file.
    dtype : str
        Its type by its name in the schema.
    buffer : array of bytes or None
        The contents of a constant.
    scales, zeros : array
        Of a quantized tensor, one or one for each index along ``axis``; empty otherwise. They are parts of the file,
        which many tensors may share.
    """

    name: str
    shape: Shape
    dtype: str
    buffer: Array | None
    scales: Array
    zeros: Array
    axis: int

    @property
    def is_float(self) -> bool:
        """Whether it holds floats."""
        return self.dtype.startswith("FLOAT")

    @property
    def is_quantized(self) -> bool:
        """Whether it holds integers that stand for real numbers."""
        return self.scales.size > 0

    def has_grid_of(self, other: LiteRtTensor) -> bool:
        """Return whether equal integers stand for equal numbers in another tensor, as far as LiteRT looks."""
        if self.scales.size != other.scales.size or self.scales.size == 0:
            return self.scales.size == other.scales.size
        (scales, zeros), (scales_, zeros_) = self.grid(), other.grid()
        return bool((np.abs(scales - scales_) <= 1e-6).all()) and np.array_equal(zeros, zeros_)

    def limits(self) -> tuple[float, float] | None:
        """Return the smallest and the largest number that the integers of a computed value stand for, None for floats.

        Raises
        ------
        UnsupportedError
            If there is more than one scale, or the integers are of a type that no layer computes.
        ModelFileError
            If its zero point is not among the integers.
        """
        if not self.is_quantized:
            return None
        if self.dtype not in QUANTIZED or self.scales.size != 1:
            raise UnsupportedError(
                f"its result is {self.dtype} with {self.scales.size} scales; "
                f"supported: {', '.join(QUANTIZED)} with one scale"
            )
        scale, zero = (float(v[0]) for v in self.grid())
        smallest, largest = QUANTIZED[self.dtype]
        if not smallest <= zero <= largest:
            raise ModelFileError(
                f"its result has the zero point {zero:g}; {self.dtype} goes from {smallest} to {largest}"
            )
        return (smallest - zero) * scale, (largest - zero) * scale

    def grid(self) -> tuple[Array, Array]:
        """Return scales and zero points in float64, checked.

        Raises
        ------
        ModelFileError
            If they are not numbers above zero, or their counts differ.
        """
        scales = self.scales.astype(np.float64)
        zeros = np.zeros(scales.size) if self.zeros.size == 0 else self.zeros.astype(np.float64)
        if zeros.size not in (1, scales.size) or not (np.isfinite(scales) & (scales > 0)).all():
            raise ModelFileError(
                f"tensor {self.name!r} has {scales.size} scales and {zeros.size} zero points; "
                "there must be as many, and scales be numbers above 0"
            )
        return scales, np.broadcast_to(zeros, scales.shape)


@frozen
class Operator:
    """An operator, by its name in the schema; inputs and outputs are numbers of tensors, -1 for one left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: OperatorOptions


@dataclass(eq=False, repr=False)
class LiteRtModel:
    """The main graph of a file."""

    tensors: tuple[LiteRtTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int
    _budget: ReadBudget = field(init=False)

    def __post_init__(self) -> None:
        self._budget = ReadBudget(EXPANSION * self.size)

    def array(self, index: int) -> Array | None:
        """Return a constant as the numbers that it stands for, None for a value that is computed.

        Raises
        ------
        ModelFileError
            If it does not have the bytes that its shape needs.
        UnsupportedError
            If it is of a type that cnnfast does not read, or the constants so far take too much memory.
        """
        tensor = self.tensors[index]
        if tensor.buffer is None:
            return None
        needed = _bytes(tensor)
        if tensor.buffer.size != needed:
            raise ModelFileError(
                f"tensor {tensor.name!r}: {tensor.dtype} of shape {tensor.shape} takes {needed} bytes, but its buffer "
                f"has {tensor.buffer.size}"
            )
        taken = max(needed, 4 * math.prod(tensor.shape)) + 8 * tensor.scales.size
        self._budget.spend(taken, f"the constant {tensor.name!r:.200}")
        raw = _integers_of_4_bits(tensor) if tensor.dtype == "INT4" else tensor.buffer.view(DTYPES[tensor.dtype])
        raw = raw.reshape(tensor.shape)
        return _dequantized(tensor, raw) if tensor.is_quantized else raw

    def byte_to_input(self) -> tuple[float, float] | None:
        """Return (factor, offset): what the byte of a picture means to an integer input, or None for another input."""
        tensor = self.tensors[self.inputs[0]]
        if tensor.dtype == "UINT8" and not tensor.is_quantized:
            return 1.0, 0.0
        if tensor.scales.size != 1 or tensor.dtype not in ("UINT8", "INT8"):
            return None
        scale, zero = (float(v[0]) for v in tensor.grid())
        return scale, -scale * (zero + 128 if tensor.dtype == "INT8" else zero)


def _bytes(tensor: LiteRtTensor) -> int:
    """Return how many bytes the constant needs."""
    count = math.prod(tensor.shape)
    if tensor.dtype == "INT4":
        return (count + 1) // 2
    if tensor.dtype not in DTYPES:
        raise UnsupportedError(
            f"tensor {tensor.name!r} is of the type {tensor.dtype}; cnnfast reads {', '.join(DTYPES)} and INT4. "
            "Convert the model with weights of one of these types"
        )
    return count * np.dtype(DTYPES[tensor.dtype]).itemsize


def _integers_of_4_bits(tensor: LiteRtTensor) -> Array:
    """Return what is packed two to a byte, the first in the lower half, each from -8 to 7."""
    assert tensor.buffer is not None
    both = tensor.buffer.view(np.int8)
    halves = np.stack([np.left_shift(both, 4) >> 4, both >> 4], axis=1)
    return halves.reshape(-1)[: math.prod(tensor.shape)]


def _dequantized(tensor: LiteRtTensor, raw: Array) -> Array:
    sides = [1] * raw.ndim
    if tensor.scales.size > 1:
        if not 0 <= tensor.axis < raw.ndim or raw.shape[tensor.axis] != tensor.scales.size:
            raise ModelFileError(
                f"tensor {tensor.name!r} {tensor.shape} has {tensor.scales.size} scales along axis {tensor.axis}"
            )
        sides[tensor.axis] = -1
    scales, zeros = (v.reshape(sides) for v in tensor.grid())
    result: Array = (raw.astype(np.float64) - zeros) * scales
    return result.astype(np.float32)
