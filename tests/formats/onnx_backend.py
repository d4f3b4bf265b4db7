"""The face that ONNX's own conformance suite wants: ``prepare(model).run(inputs)``.

A test of the suite gives weights as inputs of the graph, so which inputs are images and which are constants is decided
when a model runs: first, inputs that agree with the first one in number of axes and in axis 0 are images; else the
first one alone; else nothing is, and all is computed in advance, as for the shapes in a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, version_converter
from onnx.backend.base import Backend, BackendRep

from cnnfast.errors import CnnfastError, UnsupportedError
from cnnfast.formats.budget import ReadBudget
from cnnfast.formats.onnx.ends import Entrance
from cnnfast.formats.onnx.operators.arithmetic import MANY, TWO
from cnnfast.formats.onnx.operators.elements import PLAIN
from cnnfast.formats.onnx.proto import DOMAINS, DTYPES
from cnnfast.formats.onnx.translate import OLDEST, Translation
from cnnfast.formats.onnx.values import Integers, OnnxImages, Static
from cnnfast.graph import Graph
from cnnfast.ops import Array

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)

NUMBERS = {dtype for dtype in DTYPES.values() if dtype.name != "bfloat16"}

ALONE = {*PLAIN, *TWO, *MANY, "Clip", "Selu", "Celu", "Swish", "Neg", "Reciprocal", "Pow", "PRelu", "Constant", "Cast"}
ALONE |= {"CastLike", "Dropout"}
"""Operators that treat every element alike: a row of n numbers may count as n images of one number."""


class CnnfastBackend(Backend):
    """Runs ONNX models with cnnfast."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Return whether models run on a device: only the CPU."""
        return device == "CPU"

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """Return a model ready to run; it is planned when its inputs are known."""
        versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
        return Prepared(version_converter.convert_version(model, OLDEST) if versions < [OLDEST] else model)


class Prepared(BackendRep):
    """A model of the suite."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.how = ""

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> list[Array]:
        """Return the outputs of the model.

        Raises
        ------
        UnsupportedError
            If no choice of images and constants can be run; the reasons are listed.
        """
        if any(isinstance(x, list | tuple) or x is None for x in inputs):
            raise UnsupportedError("inputs that are sequences or left out")
        known = {tensor.name for tensor in self.model.graph.initializer}
        names = [v.name for v in self.model.graph.input if v.name not in known]
        given = {name: np.asarray(x) for name, x in zip(names, inputs, strict=False)}
        for name, x in given.items():
            if x.dtype == np.float64 and (np.abs(x[np.isfinite(x)]) > np.finfo(np.float32).max).any():
                raise UnsupportedError("numbers beyond the range of float32")
            if x.dtype not in NUMBERS:
                raise UnsupportedError(f"input {name!r} of type {x.dtype}, which NumPy does not compute with")
        reasons = []
        for images in self._choices(given):
            try:
                results = self._computed(given, images)
            except CnnfastError as error:
                reasons.append(f"with {images or 'nothing'} as images: {error}")
                continue
            self.how = "run" if images else "computed in advance"
            return results
        raise UnsupportedError("\n".join(reasons) or "no inputs")

    def _choices(self, given: dict[str, Array]) -> Iterator[tuple[str, ...]]:
        names = list(given)
        if names:
            first = given[names[0]]
            alike = tuple(n for n in names if given[n].ndim == first.ndim and given[n].shape[:1] == first.shape[:1])
            if first.ndim > 0 and 0 not in first.shape:
                yield alike
                if alike != (names[0],):
                    yield (names[0],)
        yield ()

    def _computed(self, given: dict[str, Array], images: tuple[str, ...]) -> list[Array]:
        constants = {name: x for name, x in given.items() if name not in images}
        kinds = {node.op_type for node in self.model.graph.node}
        rows = bool(images) and given[images[0]].ndim == 1
        if rows and not kinds <= ALONE:
            raise UnsupportedError("a row of numbers, where axis 0 counts the images")
        translation = Translation(self.model, None, constants, budget=ReadBudget(0, 1 << 31))
        translation.batch = len(given[images[0]]) if images else None
        feed = {name: given[name][:, None] if rows else given[name] for name in images}
        for name, x in feed.items():
            if x.dtype.kind == "b" or (x.dtype.kind in "iu" and x.dtype.itemsize > 2):
                raise UnsupportedError(f"images of type {x.dtype}; all arithmetic is in float32")
            held = Integers(x.dtype) if x.dtype.kind in "iu" else None
            translation.enter(Entrance(name, x.shape[1:], False, translation.batch, held))
        if images:
            graph = translation.run(self.model.graph.node, [v.name for v in self.model.graph.output])
            results = _run(graph, [feed[name] for name in graph.inputs])
            wanted = [v.type.tensor_type.elem_type for v in self.model.graph.output]
            made = [translation.values[v.name] for v in self.model.graph.output]
            results = [_as_integers(y, value) for y, value in zip(results, made, strict=True)]
            if any(kind not in FLOATS and y.dtype.kind == "f" for y, kind in zip(results, wanted, strict=True)):
                raise UnsupportedError("images of integers; all arithmetic is in float32")
            return [(y[:, 0] if rows else y).astype(DTYPES[kind]) for y, kind in zip(results, wanted, strict=True)]
        for node in self.model.graph.node:
            translation.step(node)
        values = [translation.values.get(v.name) for v in self.model.graph.output]
        translation.problems.raise_if_any()
        if not all(isinstance(v, Static) and v.is_fixed for v in values):
            raise UnsupportedError("an output that is not a constant")
        return [v.array for v in values if isinstance(v, Static)]


def _as_integers(y: Array, value: object) -> Array:
    """Return the integers that real numbers stand for, where the file holds integers."""
    held = value.integers if isinstance(value, OnnxImages) else None
    if held is None:
        return y
    if isinstance(held.scale, str) or isinstance(held.zero, str):
        raise UnsupportedError(f"an output of {held}")
    limits = np.iinfo(held.dtype)
    return np.clip(np.rint(y / np.float32(held.scale)) + held.zero, limits.min, limits.max).astype(held.dtype)


def _run(graph: Graph, feed: list[Array]) -> list[Array]:
    """Return the outputs of a graph with any number of inputs, by the same plan as a network's."""
    from cnnfast.plan import make_plan
    from cnnfast.plan.plan import as_chw

    plan = make_plan(graph)
    arrays = [x.astype(np.float32).reshape(len(x), *as_chw(x.shape[1:])) for x in feed]
    shapes = [plan.shapes[name] for name in graph.outputs]
    results = [np.empty((len(feed[0]), int(np.prod(shape))), np.float32) for shape in shapes]
    plan.program.run(arrays, results, 1, None)
    return [y.reshape(-1, *shape) for y, shape in zip(results, shapes, strict=True)]
