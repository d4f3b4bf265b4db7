"""The configuration of a Keras model: the JSON of Keras 2 and of Keras 3 becomes layers and the calls between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.tensors import check_name

MODELS = ("Functional", "Model", "Sequential")
"""Classes of layers that hold layers; Keras calls them all by these three names."""

MAX_LAYERS = 20_000
MAX_DEPTH = 16
"""Models in models; no application has more than one."""


@frozen
class KerasTensor:
    """What one call of a layer gave."""

    layer: str
    call: int
    output: int


@frozen
class Arguments:
    """What a layer is called on: tensors, numbers, and lists of them."""

    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    def unrolled(self) -> Iterator[Any]:
        """Yield the positional arguments, those in lists too."""
        yield from _unrolled(self.positional)

    def tensors(self) -> set[KerasTensor]:
        """Return all tensors among the arguments."""
        return {item for item in _unrolled((self.positional, *self.named.values())) if isinstance(item, KerasTensor)}


def _unrolled(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _unrolled(item)
    else:
        yield value


@frozen
class KerasLayer:
    """A layer of the file.

    Attributes
    ----------
    name, kind : str
        Its own name, and its class.
    module : str
        Where the class is defined; Keras 3 has classes of one name in several modules.
    config : dict
        Its attributes, as they are in the file.
    calls : tuple of Arguments
    model : KerasModel or None
        For a layer that is a model.
    first : int
        The number of the first call: Keras 2 counts that of a model's own input, which it does not write.
    """

    name: str
    kind: str
    module: str
    config: dict[str, Any]
    calls: tuple[Arguments, ...]
    model: KerasModel | None = None
    first: int = 0

    def describe(self) -> str:
        """Return name and class, for a message."""
        return f"{self.name!r} ({self.kind:.40})"


@frozen
class KerasModel:
    """Layers, the tensors that enter, and the tensors that leave."""

    layers: tuple[KerasLayer, ...]
    inputs: tuple[KerasTensor, ...]
    outputs: tuple[KerasTensor, ...]

    def walk(self) -> Iterator[KerasLayer]:
        """Yield the layers, and those of the models among them."""
        for layer in self.layers:
            yield layer
            if layer.model is not None:
                yield from layer.model.walk()


@dataclass(eq=False, repr=False)
class _Budget:
    layers: int = field(default=MAX_LAYERS)


def parse_model(fields: object) -> KerasModel:
    """Build a model from its JSON.

    Raises
    ------
    ModelFileError
        If it is not what Keras writes.
    """
    kind, config = _class(fields, "the model")
    if kind not in MODELS:
        raise ModelFileError(
            f"the model is of the class {kind!r:.80}, which is Python code outside of the file; build it with the "
            "functional API (keras.Model(inputs, outputs)) or as Sequential, and save it again"
        )
    return _model(kind, config, _Budget(), MAX_DEPTH)


def _class(value: object, what: str) -> tuple[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str) or "config" not in value:
        raise ModelFileError(f"{what} must be an object with class_name and config, but is {value!r:.80}")
    return value["class_name"], value["config"]


def _model(kind: str, config: object, budget: _Budget, depth: int) -> KerasModel:
    if depth == 0:
        raise ModelFileError(f"models are nested more than {MAX_DEPTH} deep")
    # before Keras 2.2.3 the config of a Sequential was the list itself
    fields = {"layers": config} if isinstance(config, list) else config
    entries = fields.get("layers") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(entries, list) or not entries:
        raise ModelFileError("the config of a model must be an object with a list of layers")
    budget.layers -= len(entries)
    if budget.layers < 0:
        raise ModelFileError(f"the model has more than {MAX_LAYERS} layers")
    sequential = kind == "Sequential" and "input_layers" not in fields
    layers = [_layer(entry, sequential, budget, depth) for entry in entries]
    if len({layer.name for layer in layers}) < len(layers):
        raise ModelFileError("two layers have the same name")
    if sequential:
        return _chain(layers, fields)
    inputs = _tensors(fields.get("input_layers"), "input")
    outputs = _tensors(fields.get("output_layers"), "output")
    return KerasModel(tuple(_numbered(layers, outputs)), inputs, outputs)


def _numbered(layers: list[KerasLayer], outputs: tuple[KerasTensor, ...]) -> Iterator[KerasLayer]:
    """Yield the layers with the number of their first call, which shows in how their calls are referred to."""
    highest: dict[str, int] = {}
    for tensor in (*outputs, *(t for layer in layers for call in layer.calls for t in call.tensors())):
        highest[tensor.layer] = max(tensor.call, highest.get(tensor.layer, 0))
    for layer in layers:
        is_shifted = layer.model is not None and highest.get(layer.name, 0) == len(layer.calls) > 0
        yield replace(layer, first=1) if is_shifted else layer


def _layer(entry: object, sequential: bool, budget: _Budget, depth: int) -> KerasLayer:
    kind, config = _class(entry, "a layer")
    assert isinstance(entry, dict)
    inner = config.get("name") if isinstance(config, dict) else None
    name = check_name(entry.get("name") or inner or kind.lower(), "layer")
    calls: tuple[Arguments, ...] = ()
    if not sequential:
        nodes = entry.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            raise ModelFileError(f"inbound_nodes of the layer {name!r} must be a list")
        calls = tuple(_call(name, node) for node in nodes)
    module = entry.get("module")
    # a list of layers is what tells a model from a layer of a user's that happens to be called Model
    holds = isinstance(config, list) or (isinstance(config, dict) and "layers" in config)
    model = _model(kind, config, budget, depth - 1) if kind in MODELS and holds else None
    attributes = config if isinstance(config, dict) else {}
    return KerasLayer(name, kind, module if isinstance(module, str) else "", attributes, calls, model)


def _chain(layers: list[KerasLayer], fields: dict[str, Any]) -> KerasModel:
    """Return a Sequential as a model in which each layer is called once, on the one before it."""
    if layers[0].kind != "InputLayer":
        first = layers[0].config
        shape = first.get("batch_input_shape") or first.get("batch_shape") or fields.get("build_input_shape")
        name = f"{layers[0].name}_input"
        layers = [KerasLayer(name, "InputLayer", "", {"name": name, "batch_shape": shape}, ()), *layers]
    chained = [layers[0]]
    for before, layer in pairwise(layers):
        chained.append(replace(layer, calls=(Arguments((KerasTensor(before.name, 0, 0),)),)))
    ends = KerasTensor(chained[0].name, 0, 0), KerasTensor(chained[-1].name, 0, 0)
    return KerasModel(tuple(chained), ends[:1], ends[1:])


def _tensors(value: object, what: str) -> tuple[KerasTensor, ...]:
    """Return the tensors of a list of [name, call, output], of one of them alone, or of an object of them."""
    if isinstance(value, dict):
        value = list(value.values())
    if _is_tensor(value):
        value = [value]
    if not isinstance(value, list) or not value or not all(_is_tensor(item) for item in value):
        raise ModelFileError(f"{what}_layers of a model must be a list of [layer, call, output], but is {value!r:.80}")
    return tuple(KerasTensor(*item[:3]) for item in value)


def _is_tensor(value: object) -> bool:
    """Return whether a value is [layer, call, output], which Keras 2 extends by keyword arguments."""
    return (
        isinstance(value, list)
        and 3 <= len(value) <= 4
        and isinstance(value[0], str)
        and all(type(v) is int for v in value[1:3])
        and (len(value) == 3 or isinstance(value[3], dict))
    )


def _call(name: str, node: object) -> Arguments:
    """Return the arguments of one call.

    Keras 2 writes ``[[layer, call, output, {keyword arguments}], …]``, Keras 3 ``{"args": […], "kwargs": {…}}``.
    """
    if isinstance(node, dict):
        args, kwargs = node.get("args"), node.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ModelFileError(f"a call of the layer {name!r} must have a list args and an object kwargs")
        named = {key: _argument(value) for key, value in kwargs.items() if value is not None}
        return Arguments(tuple(_argument(value) for value in args), named)
    if _is_tensor(node):
        node = [node]
    if not isinstance(node, list) or not all(_is_tensor(item) for item in node):
        raise ModelFileError(f"a call of the layer {name!r} must be a list of [layer, call, output], not {node!r:.80}")
    named = {}
    for item in node:
        for key, value in (item[3] if len(item) == 4 else {}).items():
            if value is not None:
                named[key] = KerasTensor(*value[:3]) if _is_tensor(value) else value
    return Arguments(tuple(KerasTensor(*item[:3]) for item in node), named)


def _argument(value: object) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        history = config.get("keras_history") if isinstance(config, dict) else None
        if not isinstance(history, list) or not _is_tensor(history):
            raise ModelFileError(f"a tensor must have a keras_history [layer, call, output], but has {history!r:.80}")
        return KerasTensor(*history)
    if isinstance(value, list):
        return [_argument(item) for item in value]
    return value
