"""From the layers of a Keras model to a graph."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cnnfast.errors import CnnfastError, GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.keras import convolutions, elements, norms, pictures  # noqa: F401  (each enters its layers)
from cnnfast.formats.keras.archive import Archive
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.config import KerasLayer, KerasModel, KerasTensor
from cnnfast.formats.keras.layer_call import LAYERS, Apply, LayerCall, check_arguments, key_of
from cnnfast.formats.keras.weights import KerasWeights
from cnnfast.formats.unsupported import MAX_LISTED, UnsupportedReport, nearest
from cnnfast.graph import Graph
from cnnfast.ops import Shape


def build(archive: Archive, wanted: Shape | None) -> Graph:
    """Return the graph of a model.

    Raises
    ------
    ModelFileError
        If layers or weights do not fit.
    UnsupportedError
        If there are layers that cnnfast does not run; all of them are listed.
    """
    return graph_and_images(archive, wanted)[0]


def graph_and_images(archive: Archive, wanted: Shape | None) -> tuple[Graph, ImageGraph]:
    """Return the graph of a model, and what it was built with, which knows the order of its elements."""
    model = archive.model
    prepared, refused = _prepare(archive)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        _complain(refused)
        raise UnsupportedError(
            f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs; cnnfast runs networks with one each"
        )
    if takes_integers(model):
        # Keras rounds what it resizes to integers again
        reason = "it resizes integers, and so rounds: give the Input dtype='float32'"
        refused |= {id(layer): (layer, reason) for layer in model.walk() if layer.kind == "Resizing"}
    graph = ImageGraph(channels_last=is_channels_last(model))
    first = next((layer for layer in model.layers if layer.name == model.inputs[0].layer), None)
    if first is None:
        raise ModelFileError(f"there is no input layer {model.inputs[0].layer!r}")
    try:
        x = graph.input(first.name, _input_shape(first, wanted, graph))
    except CnnfastError:
        _complain(refused)
        raise
    builder = _Builder(graph, prepared, refused)
    (output,) = builder.run(model, archive.weights, "", [x])
    _complain(refused)
    if output is None:
        raise ModelFileError(f"the output of {model.outputs[0].layer!r} depends on itself, or on what is not there")
    return graph.graph(output), graph


Refused = dict[int, tuple[KerasLayer, str]]
"""Layers that are not run, by identity, each with the reason."""


REPEATED = ("name", "trainable", "dtype", "batch_input_shape", "build_config")
"""Attributes that tell nothing about what a layer computes; nor do initializers, regularizers and constraints."""

MAX_ATTRIBUTES = 200
"""Characters of attributes that an error shows of one layer."""


def _complain(refused: Refused) -> None:
    """Raise one error about all layers that are refused, each with its name, class, attributes and the reason."""
    report = UnsupportedReport("its layers")
    for layer, reason in refused.values():
        report.add(layer.kind, f"{layer.name!r} ({layer.kind:.60}{_attributes(layer)}): {reason}")
    report.raise_if_any()


def _attributes(layer: KerasLayer) -> str:
    shown = {
        key: value
        for key, value in layer.config.items()
        if key not in REPEATED and value is not None and not key.endswith(("initializer", "regularizer", "constraint"))
    }
    text = "".join(f", {key}={value!r:.60}" for key, value in shown.items())
    return text if len(text) <= MAX_ATTRIBUTES else f"{text[:MAX_ATTRIBUTES]}…"


def _prepare(archive: Archive) -> tuple[dict[int, Apply], Refused]:
    """Check the attributes of every layer, and return what a call of each appends, and which are not run."""
    prepared: dict[int, Apply] = {}
    refused: Refused = {}
    for layer in archive.model.walk():
        try:
            if layer.model is None and layer.kind != "InputLayer":
                prepared[id(layer)] = _read(layer, archive.version, len(refused) < MAX_LISTED)
            for call in layer.calls if layer.model is not None else ():
                check_arguments(call.named)
        except UnsupportedError as error:
            refused[id(layer)] = layer, str(error)
        except (ModelFileError, GraphError) as error:
            raise ModelFileError(f"layer {layer.describe()}: {error}") from error
    return prepared, refused


def _read(layer: KerasLayer, version: int, is_listed: bool) -> Apply:
    """Return what a call of a layer appends; the nearest layer is looked for only if the error lists it."""
    reader = LAYERS.get(key_of(layer))
    if reader is None:
        known = (kind for kind in LAYERS if "." not in kind)
        raise UnsupportedError(nearest("keras", layer.kind, known) if is_listed else "")
    attributes = LayerAttributes(layer, version)
    if layer.kind == "TFOpLambda":
        attributes.ignore("function")
    apply = reader(attributes)
    attributes.check_rest()
    return apply


def is_channels_last(model: KerasModel) -> bool:
    """Return whether the images that enter a model have their channels last.

    The first layer that says so decides; those of another opinion get their images transposed.
    """
    flat = True
    for layer in model.walk():
        if layer.kind == "Permute" and layer.config.get("dims") in ([3, 1, 2], [2, 3, 1]):
            return bool(layer.config["dims"] == [3, 1, 2])
        stated = layer.config.get("data_format")
        if stated not in ("channels_first", "channels_last") or layer.kind.startswith(("Random", "Spatial")):
            continue
        if layer.kind != "Flatten":
            return bool(stated == "channels_last")
        flat = flat and stated == "channels_last"
    return flat


def takes_integers(model: KerasModel) -> bool:
    """Return whether the input is of integers, as bytes are."""
    name = model.inputs[0].layer
    dtype = next((layer.config.get("dtype") for layer in model.layers if layer.name == name), None)
    return isinstance(dtype, str) and dtype.startswith(("int", "uint"))


def _input_shape(layer: KerasLayer, wanted: Shape | None, graph: ImageGraph) -> Shape:
    """Return the shape of one image in the file's order; ``wanted`` is in the order C, H, W."""
    stated = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
    for key in ("sparse", "ragged"):
        if layer.config.get(key) not in (None, False, 0):
            raise UnsupportedError(f"the input {layer.name!r} is {key}, which no image is")
    if not isinstance(stated, list) or len(stated) < 2 or not all(v is None or type(v) is int for v in stated):
        raise ModelFileError(f"the input {layer.name!r} must have a shape [null, H, W, C], but has {stated!r:.80}")
    sizes = stated[1:]
    if wanted is not None:
        given = graph.in_file(tuple(wanted))
        if len(given) != len(sizes) or any(b not in (None, a) for a, b in zip(given, sizes, strict=False)):
            raise ModelFileError(
                f"the input {layer.name!r} has the shape {stated}, which input_shape={wanted} (C, H, W) does not fit"
            )
        return given
    if None in sizes:
        raise ModelFileError(
            f"the input {layer.name!r} takes images of any size, {stated}; a graph has one: give input_shape=(C, H, W)"
        )
    return tuple(sizes)


class _Builder:
    """Appends the layers of a model, and of the models in it, to a graph.

    A layer that is refused gives nothing, nor does what reads it; all else is looked at, so that all refusals are told.
    """

    def __init__(self, graph: ImageGraph, prepared: dict[int, Apply], refused: Refused) -> None:
        self._graph = graph
        self._prepared = prepared
        self._refused = refused

    def run(
        self, model: KerasModel, weights: KerasWeights, prefix: str, inputs: Sequence[Value | None]
    ) -> list[Value | None]:
        """Append a model that is called on values, and return what it gives."""
        if len(inputs) != len(model.inputs):
            raise ModelFileError(f"a model of {len(model.inputs)} inputs is called on {len(inputs)} values")
        values: dict[KerasTensor, Value | None] = dict(zip(model.inputs, inputs, strict=True))
        for layer, index in _in_order(model, values):
            number = layer.first + index
            try:
                results = self._call(layer, index, weights, prefix, values)
            except UnsupportedError as error:
                self._refused.setdefault(id(layer), (layer, str(error)))
                results = [None]
            except (GraphError, ModelFileError) as error:
                raise ModelFileError(f"layer {layer.describe()}: {error}") from error
            values.update({KerasTensor(layer.name, number, output): value for output, value in enumerate(results)})
        return [values.get(tensor) for tensor in model.outputs]

    def _call(
        self, layer: KerasLayer, index: int, weights: KerasWeights, prefix: str, values: dict[KerasTensor, Value | None]
    ) -> list[Value | None]:
        name, arguments = f"{prefix}{layer.name}", layer.calls[index]
        operands = [_operand(argument, values) for argument in arguments.unrolled()]
        if layer.model is not None:
            if not all(v is None or isinstance(v, Value) for v in operands):
                raise UnsupportedError("a model is called on what is not a value")
            return self.run(layer.model, weights.inside(layer), f"{name}/", operands)
        named = {key: _operand(v, values) if isinstance(v, KerasTensor) else v for key, v in arguments.named.items()}
        if id(layer) in self._refused or any(v is None for v in (*operands, *named.values())):
            return [None]
        call = LayerCall(self._graph, name, operands, named, lambda *roles: weights.of(layer, roles))
        result = self._prepared[id(layer)](call)
        call.check_rest()
        return [result]


def _operand(argument: object, values: dict[KerasTensor, Value | None]) -> Any:
    if isinstance(argument, KerasTensor):
        return values.get(argument)
    if isinstance(argument, int | float) and not isinstance(argument, bool):
        return np.array(argument, np.float64)
    raise UnsupportedError(f"it is called on {argument!r:.80}, which is neither a value nor a number")


def _in_order(model: KerasModel, values: dict[KerasTensor, Value | None]) -> Iterator[tuple[KerasLayer, int]]:
    """Yield the calls of all layers, each when what it reads is there; calls that never can be are left out."""
    calls = [
        (layer, index) for layer in model.layers for index in range(len(layer.calls)) if layer.kind != "InputLayer"
    ]
    missing: list[int] = []
    readers: dict[tuple[str, int], list[int]] = {}
    given = {(tensor.layer, tensor.call) for tensor in values}
    for position, (layer, index) in enumerate(calls):
        needed = {(t.layer, t.call) for t in layer.calls[index].tensors()} - given
        missing.append(len(needed))
        for source in needed:
            readers.setdefault(source, []).append(position)
    ready = [position for position, count in enumerate(missing) if count == 0]
    while ready:
        layer, index = calls[heapq.heappop(ready)]
        yield layer, index
        for position in readers.get((layer.name, layer.first + index), ()):
            missing[position] -= 1
            if missing[position] == 0:
                heapq.heappush(ready, position)
