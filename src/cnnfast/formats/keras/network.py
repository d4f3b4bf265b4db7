"""From the layers of a Keras model to a graph."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.keras import convolutions, layers, norms  # noqa: F401  (each enters its layers)
from cnnfast.formats.keras.archive import Archive
from cnnfast.formats.keras.attributes import Attributes
from cnnfast.formats.keras.config import Layer, Model, Tensor
from cnnfast.formats.keras.registry import LAYERS, Apply, Call, key_of
from cnnfast.formats.keras.unsupported import complaint, nearest
from cnnfast.formats.keras.weights import Weights
from cnnfast.graph import Graph
from cnnfast.ops import Array, Shape


def build(archive: Archive, wanted: Shape | None) -> Graph:
    """Return the graph of a model.

    Raises
    ------
    ModelFileError
        If layers or weights do not fit.
    UnsupportedError
        If there are layers that cnnfast does not run; all of them are listed.
    """
    model = archive.model
    prepared = _prepare(archive)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedError(
            f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs; cnnfast runs networks with one each"
        )
    graph = ImageGraph(channels_last=_is_channels_last(model))
    first = next((layer for layer in model.layers if layer.name == model.inputs[0].layer), None)
    if first is None:
        raise ModelFileError(f"there is no input layer {model.inputs[0].layer!r}")
    x = graph.input(first.name, _input_shape(first, wanted, graph))
    (output,) = _Builder(graph, prepared).run(model, archive.weights, "", [x])
    return graph.graph(output)


def _prepare(archive: Archive) -> dict[int, Apply]:
    """Check the attributes of every layer, and return what a call of each appends."""
    prepared: dict[int, Apply] = {}
    refused = []
    for layer in archive.model.walk():
        if layer.model is not None or layer.kind == "InputLayer":
            continue
        reader = LAYERS.get(key_of(layer))
        if reader is None:
            refused.append((layer, nearest(layer)))
            continue
        try:
            prepared[id(layer)] = reader(Attributes(layer, archive.version))
        except UnsupportedError as error:
            refused.append((layer, str(error)))
        except (ModelFileError, GraphError) as error:
            raise ModelFileError(f"layer {layer.describe()}: {error}") from error
    if refused:
        raise UnsupportedError(complaint(refused))
    return prepared


def _is_channels_last(model: Model) -> bool:
    formats = {layer.config.get("data_format") for layer in model.walk()} & {"channels_first", "channels_last"}
    if len(formats) > 1:
        raise UnsupportedError("some of its layers have the channels first and some last; all must be alike")
    return formats != {"channels_first"}


def _input_shape(layer: Layer, wanted: Shape | None, graph: ImageGraph) -> Shape:
    """Return the shape of one image in the file's order; ``wanted`` is in the order C, H, W."""
    stated = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
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
    """Appends the layers of a model, and of the models in it, to a graph."""

    def __init__(self, graph: ImageGraph, prepared: dict[int, Apply]) -> None:
        self._graph = graph
        self._prepared = prepared

    def run(self, model: Model, weights: Weights, prefix: str, inputs: Sequence[Value]) -> list[Value]:
        """Append a model that is called on values, and return what it gives."""
        if len(inputs) != len(model.inputs):
            raise ModelFileError(f"a model of {len(model.inputs)} inputs is called on {len(inputs)} values")
        values: dict[Tensor, Value] = dict(zip(model.inputs, inputs, strict=True))
        for layer, index in _in_order(model, values):
            try:
                results = self._call(layer, index, weights, prefix, values)
            except UnsupportedError as error:
                raise UnsupportedError(f"layer {layer.describe()}: {error}") from error
            except (GraphError, ModelFileError) as error:
                raise ModelFileError(f"layer {layer.describe()}: {error}") from error
            number = layer.first + index
            values.update({Tensor(layer.name, number, output): value for output, value in enumerate(results)})
        missing = next((tensor for tensor in model.outputs if tensor not in values), None)
        if missing is not None:
            raise ModelFileError(f"the output of {missing.layer!r} depends on itself, or on what is not there")
        return [values[tensor] for tensor in model.outputs]

    def _call(
        self, layer: Layer, index: int, weights: Weights, prefix: str, values: dict[Tensor, Value]
    ) -> list[Value]:
        name, arguments = f"{prefix}{layer.name}", layer.calls[index]
        operands = [_operand(argument, values) for argument in arguments.unrolled()]
        if layer.model is not None:
            inputs = [v for v in operands if isinstance(v, Value)]
            return self.run(layer.model, weights.inside(layer), f"{name}/", inputs)
        named = {key: _operand(v, values) if isinstance(v, Tensor) else v for key, v in arguments.named.items()}
        call = Call(self._graph, name, operands, named, lambda *roles: weights.of(layer, roles))
        return [self._prepared[id(layer)](call)]


def _operand(argument: object, values: dict[Tensor, Value]) -> Value | Array:
    if isinstance(argument, Tensor) and argument in values:
        return values[argument]
    if isinstance(argument, int | float) and not isinstance(argument, bool):
        return np.array(argument, np.float64)
    raise ModelFileError(f"it is called on {argument!r:.80}, which is neither a value nor a number")


def _in_order(model: Model, values: dict[Tensor, Value]) -> Iterator[tuple[Layer, int]]:
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
