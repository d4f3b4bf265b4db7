"""From the operators of LiteRT to a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.integers import FoundIntegers
from cnnfast.formats.litert import operators, shapes, types  # noqa: F401  (each enters its operators)
from cnnfast.formats.litert.integers import note_pool, note_value, note_weights
from cnnfast.formats.litert.model import LiteRtModel, LiteRtTensor, Operator
from cnnfast.formats.litert.operator_call import OPERATORS, Bounds, OperatorCall
from cnnfast.formats.litert.ranges import ANY, bounds_before_activation, tail
from cnnfast.formats.litert.types import check_types
from cnnfast.formats.unsupported import UnsupportedReport, nearest
from cnnfast.graph import Graph
from cnnfast.ops import Array

ONLY_FIRST = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators whose other inputs are shapes, which the file states once more at their output."""


def build(model: LiteRtModel, channels_first: bool = False) -> Graph:
    """Return the graph of a model; with ``channels_first`` its input is N, C, H, W.

    Raises
    ------
    ModelFileError
        If operators and tensors do not fit.
    UnsupportedError
        If there are operators that cnnfast does not run; all of them are listed.
    """
    return build_with_integers(model, channels_first)[0]


def build_with_integers(model: LiteRtModel, channels_first: bool = False) -> tuple[Graph, FoundIntegers]:
    """Return the graph of a model as `build` does, and what the integers of the file stand for."""
    network = _Network(model, channels_first)
    for operator in _needed(model):
        network.append(operator)
    network.refused.raise_if_any()
    output = network.values.get(model.outputs[0])
    if not isinstance(output, Value):
        raise ModelFileError("its output does not depend on its input")
    return network.graph.graph(output), network.integers


def _needed(model: LiteRtModel) -> list[Operator]:
    """Return the operators that the output depends on, in the order of the file, where each follows what it reads."""
    wanted, needed = set(model.outputs), []
    for operator in reversed(model.operators):
        if wanted.isdisjoint(operator.outputs):
            continue
        needed.append(operator)
        wanted.update(operator.inputs[:1] if operator.kind in ONLY_FIRST else operator.inputs)
    return needed[::-1]


class _Network:
    """What is known so far: the values of tensors, their bounds, and what is refused."""

    def __init__(self, model: LiteRtModel, channels_first: bool) -> None:
        source = model.tensors[model.inputs[0]]
        self.graph = ImageGraph()
        self.refused = UnsupportedReport("its operators")
        self.values: dict[int, Value | Array] = {model.inputs[0]: self._input(source, channels_first)}
        self._bounds: dict[int, Bounds] = {model.inputs[0]: source.limits() or ANY}
        self._model = model
        self._images = source.shape[0] if source.shape else 1
        self._unknown: set[int] = set()
        self.integers = FoundIntegers()
        note_value(self.integers, self.graph, self.values[model.inputs[0]], source)

    def _input(self, source: LiteRtTensor, channels_first: bool) -> Value:
        if not channels_first:
            return self.graph.input(source.name, source.shape[1:])
        channels, height, width = source.shape[1:]
        images = self.graph.input(source.name, (height, width, channels))
        # meets its opposite, with which such a file begins
        return self.graph.transpose(f"{source.name}/nchw", images, (2, 0, 1))

    def append(self, operator: Operator) -> None:
        """Append one operator; one that reads what is refused is left out if it is supported itself."""
        if not operator.outputs:
            raise ModelFileError(f"an operator {operator.kind} has no output")
        tensor = self._model.tensors[operator.outputs[0]]
        try:
            if operator.kind not in OPERATORS:
                self._refuse(operator)
            elif self._unknown.isdisjoint(operator.inputs):
                self._apply(operator)
            else:
                self._unknown.update(operator.outputs)
        except UnsupportedError as error:
            self._refuse(operator, error)
        except (GraphError, ModelFileError) as error:
            raise ModelFileError(f"{operator.kind} {tensor.name!r}: {error}") from error
        # whatever else a file provokes is a fault here, but it is the file that its user has and must find it in
        except Exception as error:
            raise ModelFileError(f"{operator.kind} {tensor.name!r}: {type(error).__name__}: {error}") from error

    def _refuse(self, operator: Operator, error: UnsupportedError | None = None) -> None:
        self._unknown.update(operator.outputs)
        if self.refused.is_full:
            self.refused.add(operator.kind, "")
            return
        tensor = self._model.tensors[operator.outputs[0]]
        about = f"({operator.kind}): {error}"
        if error is None:
            hint = nearest("litert", operator.kind, OPERATORS)
            about = f"({operator.kind:.60}, output {tensor.shape}): {hint}"
        self.refused.add(operator.kind, f"{tensor.name!r} {about}")

    def _apply(self, operator: Operator) -> None:
        outputs = [self._model.tensors[index] for index in operator.outputs]
        call = OperatorCall(
            self.graph, self._model, operator, tuple(tensor.name for tensor in outputs), self.values, self._bounds
        )
        check_types(call)
        before, activation = bounds_before_activation(call), call.activation()
        tails = [tail(activation, before, tensor) for tensor in outputs]
        names = [t.name if op is None else f"{t.name}/linear" for t, (op, _) in zip(outputs, tails, strict=True)]
        result = OPERATORS[operator.kind](replace(call, names=tuple(names)))
        if operator.kind in ONLY_FIRST:
            # a shape that is computed is that of some value
            call.read.add(1)
        call.check_all_read()
        results = result if isinstance(result, list) else [result]
        self._check_shapes(outputs, results)
        note_weights(self.integers, results[0], call)
        note_pool(self.integers, results[0], call, outputs[0])
        for index, tensor, value, (op, bounds) in zip(operator.outputs, outputs, results, tails, strict=True):
            if op is not None and isinstance(value, Value):
                value = self.graph.each(tensor.name, op, value)
            self.values[index], self._bounds[index] = value, bounds
            note_value(self.integers, self.graph, value, tensor)

    def _check_shapes(self, outputs: Sequence[LiteRtTensor], results: Sequence[Value | Array]) -> None:
        """Raise `ModelFileError` unless every result has the shape that the file states: axes are counted by it."""
        if len(outputs) != len(results):
            raise ModelFileError(f"it has {len(outputs)} outputs; it must have {len(results)}")
        for tensor, value in zip(outputs, results, strict=True):
            # a shape that is known only at run time is stated as empty
            if not isinstance(value, Value):
                continue
            # one number for each image is a value of one axis here, and has none in the file
            numbers = [(self._images,)] if value.shape == (1,) else []
            shape = self._images, *value.shape
            # a shape that is known only at run time is stated as empty
            if tensor.shape not in ((), shape, *numbers):
                raise ModelFileError(f"its result has the shape {shape}, but the file states {tensor.shape}")
