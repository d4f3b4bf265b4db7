"""A node of the file as the operators see it: attributes, inputs, and where results go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Protocol

import numpy as np
from onnx import NodeProto

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.budget import ReadBudget
from cnnfast.formats.onnx.external import ExternalFiles
from cnnfast.formats.onnx.proto import plain
from cnnfast.formats.onnx.values import FoundScale, Integers, OnnxImages, Static, Value, whole
from cnnfast.ops import Array, Op, Shape


class Target(Protocol):
    """Where the nodes of a network under construction go."""

    def append(self, op: Op, inputs: tuple[str, ...], wanted: str) -> str:
        """Add a node and return its name."""
        ...

    def shape_of(self, name: str) -> Shape:
        """Return the shape of a value, of one image."""
        ...

    def keep(self, array: Array, wanted: str) -> str:
        """Add a constant and return its name."""
        ...

    budget: ReadBudget


@frozen
class NodeCall:
    """One node of the file.

    Attributes
    ----------
    node : NodeProto
    opset : int
    inputs : tuple of OnnxImages, Static or None
        None where an optional input is left out.
    target : Target
    external : ExternalFiles, optional
        Where external data may be.
    batch : int, optional
        The number of images that the file was made for, if it states one.
    is_ours : bool
        Whether cnnfast has written the file, from numbers of float64 that are the shortest that round to those of it.
    read : set of str
        The attributes that have been asked for so far.
    """

    node: NodeProto
    opset: int
    inputs: tuple[Value | None, ...]
    target: Target
    external: ExternalFiles | None
    batch: int | None
    is_ours: bool = False
    read: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The operator."""
        return str(self.node.op_type)

    @property
    def result(self) -> str:
        """The name of the first result."""
        return str(self.node.output[0])

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute as a plain value or array; the default where it is left out."""
        self.read.add(name)
        for attribute in self.node.attribute:
            if attribute.name == name:
                return plain(attribute, self.external)
        return default

    def ignore(self, *names: str) -> None:
        """Say of attributes that they change nothing here, whatever their values."""
        self.read.update(names)

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return an attribute that is a list of integers."""
        value = self.attribute(name, default)
        if not isinstance(value, Sequence) or not all(isinstance(v, int) for v in value):
            raise ModelFileError(f"attribute {name} of {self.kind} must be integers, but is {value!r:.80}")
        return tuple(value)

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an attribute that is an integer."""
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise ModelFileError(f"attribute {name} of {self.kind} must be an integer, but is {value!r:.80}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return an attribute that is 0 or 1."""
        return bool(self.integer(name, int(default)))

    def optional_integer(self, name: str) -> int | None:
        """Return an attribute that is an integer, or None where it is left out."""
        return None if self.attribute(name) is None else self.integer(name)

    def real(self, name: str, default: float) -> float:
        """Return an attribute that is a finite number."""
        value = self.attribute(name, default)
        if not isinstance(value, int | float) or not np.isfinite(value):
            raise ModelFileError(f"attribute {name} of {self.kind} must be a finite number, but is {value!r:.80}")
        return float(str(np.float32(value))) if self.is_ours else float(value)

    def reals(self, name: str, default: Sequence[float]) -> list[float]:
        """Return an attribute that is a list of numbers."""
        value = self.attribute(name, default)
        if not isinstance(value, Sequence) or not all(isinstance(v, int | float) for v in value):
            raise ModelFileError(f"attribute {name} of {self.kind} must be numbers, but is {value!r:.80}")
        return [float(v) for v in value]

    def bound(self, name: str, default: float) -> float:
        """Return an attribute that is a number, perhaps an infinite one."""
        value = self.attribute(name, default)
        if not isinstance(value, int | float):
            raise ModelFileError(f"attribute {name} of {self.kind} must be a number, but is {value!r:.80}")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        value = self.attribute(name, default)
        if not isinstance(value, str):
            raise ModelFileError(f"attribute {name} of {self.kind} must be a text, but is {value!r:.80}")
        return value

    def has(self, index: int) -> bool:
        """Return whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def given(self, index: int) -> Value:
        """Return an input of any kind."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise ModelFileError(f"{self.kind} has no input {index}")
        return value

    def value(self, index: int) -> OnnxImages | Static:
        """Return an input that is computed, from the images or in advance."""
        value = self.given(index)
        if isinstance(value, FoundScale):
            raise UnsupportedError(
                f"input {index} is a scale or zero point found in the images; it is run where ConvInteger and "
                "MatMulInteger take it and Mul brings it back"
            )
        return value

    def images(self, index: int) -> OnnxImages:
        """Return an input that must be computed from the images."""
        value = self.value(index)
        if not isinstance(value, OnnxImages):
            raise UnsupportedError(f"input {index} is a constant, not computed from the images")
        return value

    def static(self, index: int, default: object = None) -> Array:
        """Return an input that must be a constant; the default where it is left out."""
        if not self.has(index) and default is not None:
            return np.asarray(default)
        value = self.value(index)
        if not isinstance(value, Static):
            raise UnsupportedError(f"input {index} is computed from the images; cnnfast needs a constant there")
        return value.array

    def number(self, index: int, default: float | None = None) -> float:
        """Return an input that must be one constant number; the default where it is left out."""
        array = self.static(index, default)
        if array.size != 1 or array.dtype.kind not in "fiub":
            raise ModelFileError(f"input {index} of {self.kind} must be one number, but has the shape {array.shape}")
        return float(array.reshape(-1)[0])

    def stated(self, index: int) -> tuple[list[int], list[int]]:
        """Return an input that must be constant integers, for each of the two numbers of images."""
        value = self.value(index)
        if not isinstance(value, Static):
            raise UnsupportedError(f"input {index} is computed from the images; cnnfast needs a constant there")
        return whole(value.pair[0]), whole(value.pair[1])

    def fitted(self, array: Array, shape: Shape, what: str) -> Array:
        """Return an array broadcast to a shape.

        Raises
        ------
        ModelFileError
            If it does not fit.
        UnsupportedError
            If it would take too much memory.
        """
        self.target.budget.ask(math.prod(shape) * array.itemsize, f"{what} of {self.kind}")
        try:
            return np.broadcast_to(array, shape)
        except ValueError:
            raise ModelFileError(f"{what} of {self.kind} has the shape {array.shape}, not {shape}") from None

    def listed(self, index: int, attribute: str, since: int, default: Sequence[int] | None = None) -> list[int]:
        """Return integers that are an attribute before opset ``since``, and an input from then on."""
        if self.opset < since:
            return list(self.integers(attribute, default))
        if not self.has(index):
            if default is None:
                raise ModelFileError(f"{self.kind} has no input {index} ({attribute})")
            return list(default)
        return whole(self.static(index))

    def emit(self, op: Op, *inputs: OnnxImages | Array) -> OnnxImages:
        """Add an op to the network; arrays become its constants."""
        names = []
        integers = self._integers(op, inputs)
        if moved := [value.at for value in inputs if isinstance(value, OnnxImages) and value.at]:
            raise UnsupportedError(
                f"axis {moved[0]} counts the images there; Transpose, Gather, Slice, Split and Squeeze bring it back"
            )
        if any(value.is_joined for value in inputs if isinstance(value, OnnxImages)):
            raise UnsupportedError(
                "axis 0 counts the images and another axis together there; Reshape, Transpose, MatMul, Softmax and "
                "arithmetic with a number are run"
            )
        for index, value in enumerate(inputs):
            if isinstance(value, OnnxImages):
                names.append(value.name)
                continue
            role = (op.data + op.parameters)[min(index, len(op.data + op.parameters) - 1)].strip("?*")
            value = value if integers is None else integers.numbers(value)
            names.append(self.target.keep(value, f"{self.result}.{role}"))
        name = self.target.append(op, tuple(names), self.result)
        return OnnxImages(name, self.target.shape_of(name), integers)

    def _integers(self, op: Op, inputs: Sequence[OnnxImages | Array]) -> Integers | None:
        """Return what the integers of a result stand for: what those of all inputs do, if the op only selects."""
        kinds = dict.fromkeys(value.integers for value in inputs if isinstance(value, OnnxImages))
        if set(kinds) == {None} or not kinds:
            return None
        if len(kinds) > 1:
            raise UnsupportedError(f"it joins {' and '.join(str(kind or 'real numbers') for kind in kinds)}")
        (kind,) = kinds
        if not op.selects:
            raise UnsupportedError(
                f"it computes with {kind}, which would round or wrap around; cnnfast runs it on real numbers only. "
                "Put DequantizeLinear or Cast in front of it"
            )
        return kind

    def axis(self, axis: int, rank: int, at: int = 0) -> int:
        """Return an axis of the file as the graph counts it, from N = 0.

        Parameters
        ----------
        axis : int
            From the end if it is negative.
        rank : int
            How many axes one image has.
        at : int
            Which axis of the file counts the images.
        """
        if not -rank - 1 <= axis <= rank:
            raise ModelFileError(f"axis {axis} of {self.kind} is out of range for {rank + 1} axes")
        axis %= rank + 1
        if axis == at:
            raise UnsupportedError(f"it works along axis {axis}, which counts the images")
        return axis + 1 if axis < at else axis
