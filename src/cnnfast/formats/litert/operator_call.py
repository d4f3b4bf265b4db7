"""The list of the operators of LiteRT that cnnfast reads, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.litert.model import LiteRtModel, LiteRtTensor, Operator
from cnnfast.ops import Array, Clip, Op, Relu, Shape
from cnnfast.runtime.registry import Registry

FUSED: dict[int, Op | None] = {0: None, 1: Relu(), 2: Clip(-1, 1), 3: Clip(0, 6)}
"""Activations that are part of an operator, by their number; TANH (4) is in the schema, but LiteRT applies none."""


Bounds = tuple[float, float]
"""The smallest and the largest number that a value can hold."""


@frozen
class OperatorCall:
    """One operator of the file.

    Attributes
    ----------
    graph : ImageGraph
        Where to append nodes.
    model : LiteRtModel
    operator : Operator
    names : tuple of str
        What the nodes of its outputs must be called.
    values : dict of int to Value or array
        What tensors are known so far.
    bounds : dict of int to (float, float)
        The bounds of those that are computed.
    read : set of int
        Which inputs have been asked for.
    """

    graph: ImageGraph
    model: LiteRtModel
    operator: Operator
    names: tuple[str, ...]
    values: dict[int, Value | Array]
    bounds: dict[int, Bounds]
    read: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """What the node of its first output must be called."""
        return self.names[0]

    @property
    def images(self) -> int:
        """How many images the file is made for."""
        return self.model.tensors[self.model.inputs[0]].shape[0]

    def tensor(self, index: int) -> LiteRtTensor:
        """Return what the file states about an input."""
        return self.model.tensors[self.operator.inputs[index]]

    def result(self, index: int = 0) -> LiteRtTensor:
        """Return what the file states about an output."""
        return self.model.tensors[self.operator.outputs[index]]

    def operand(self, index: int) -> Value | Array:
        """Return an input: a value, or the numbers of a constant."""
        inputs = self.operator.inputs
        if index >= len(inputs) or inputs[index] == -1:
            raise ModelFileError(f"it has no input {index}")
        self.read.add(index)
        tensor = inputs[index]
        if tensor not in self.values:
            array = self.model.array(tensor)
            if array is None:
                raise ModelFileError(f"its input {index}, tensor {tensor}, is computed by no operator before it")
            return array
        return self.values[tensor]

    def value(self, index: int = 0) -> Value:
        """Return an input that is computed."""
        operand = self.operand(index)
        if not isinstance(operand, Value):
            raise UnsupportedError(f"its input {index} is a constant; cnnfast reads one that is computed")
        return operand

    def array(self, index: int) -> Array:
        """Return an input that is a constant."""
        operand = self.operand(index)
        if isinstance(operand, Value):
            raise UnsupportedError(f"its input {index} is computed; cnnfast reads a constant")
        return operand

    def optional(self, index: int) -> Array | None:
        """Return an input that may be left out, and is a constant otherwise."""
        inputs = self.operator.inputs
        return self.array(index) if index < len(inputs) and inputs[index] != -1 else None

    def check_all_read(self) -> None:
        """Raise `ModelFileError` for inputs and options that nothing asked for, since they might change the result."""
        self.operator.options.check_all_used()
        unread = [i for i, tensor in enumerate(self.operator.inputs) if tensor != -1 and i not in self.read]
        if unread:
            raise ModelFileError(f"it has {len(self.operator.inputs)} inputs, but makes no use of input {unread[0]}")

    def integers(self, index: int) -> list[int]:
        """Return an input that is a constant list of integers."""
        array = self.array(index)
        if array.dtype.kind not in "iu" or array.ndim > 2 or array.size > 64:
            raise ModelFileError(f"its input {index} must be a few integers, but is {array.dtype} {array.shape}")
        return [int(v) for v in array.ravel()]

    def without_batch(self, index: int, rank: int) -> Value | Array:
        """Return an operand of arithmetic: a constant with as many axes as the images, N included, loses the first."""
        operand = self.operand(index)
        if isinstance(operand, Value):
            return operand
        array = np.asarray(operand, np.float32)
        if array.ndim == rank + 1:
            if array.shape[0] != 1:
                raise UnsupportedError(f"its input {index} is a constant that differs from image to image")
            return np.asarray(array[0])
        return array

    def target(self) -> Shape:
        """Return the shape of one image of the output, as the file states it."""
        return self.result().shape[1:]

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis of one image, from an axis as LiteRT counts it."""
        own = axis + rank if axis < 0 else axis - 1
        if not 0 <= own < rank:
            raise UnsupportedError(f"axis {axis} of {rank + 1} is the one of the images, or not there")
        return own

    def activation(self) -> Op | None:
        """Return the activation that is part of the operator."""
        if not self.operator.options.has("FusedActivationFunction"):
            return None
        number = self.operator.options["FusedActivationFunction"]
        if number not in FUSED:
            raise UnsupportedError(f"its fused activation has the number {number}; supported: {sorted(FUSED)}")
        return FUSED[number]


Apply = Callable[[OperatorCall], Value | Array | list[Value]]

OPERATORS: Registry[str, Apply] = Registry("operators of LiteRT")
"""By the name of the operator in the schema."""


operator = OPERATORS.register
"""Enter a function that appends an operator; it returns the first output, or a list of all of them."""
