"""The list of the layers of Keras that cnnfast reads, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.keras.activations import Step, name_of, step_named
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.config import KerasLayer
from cnnfast.ops import Array
from cnnfast.runtime.registry import Registry


@frozen
class LayerCall:
    """One call of a layer.

    Attributes
    ----------
    graph : ImageGraph
        Where to append nodes.
    name : str
        What the last of them must be called.
    operands : list
        What the layer is called on, lists unrolled: values, arrays, and words or truth values as they are.
    named : dict
        Keyword arguments; those that are not null.
    weights : callable (*roles) -> list of array
        The weights of the layer in the order in which Keras makes them, as float32.
    asked : set of str
        The keyword arguments that a reader has asked for.
    """

    graph: ImageGraph
    name: str
    operands: list[Any]
    named: dict[str, Any]
    weights: Callable[..., list[Array]]
    asked: set[str] = field(default_factory=set)

    @property
    def x(self) -> Value:
        """The only value that the layer is called on."""
        if not self.operands or not isinstance(self.operands[0], Value):
            raise ModelFileError("it must be called on a value")
        if len(self.operands) > 1:
            raise UnsupportedError(f"it is called on {len(self.operands)} arguments; supported: one value")
        return self.operands[0]

    @property
    def values(self) -> list[Value]:
        """All operands, none of them a constant."""
        values = [v for v in self.operands if isinstance(v, Value)]
        if len(values) < len(self.operands) or not values:
            raise ModelFileError("it must be called on values")
        return values

    def argument(self, key: str, default: object = None) -> Any:
        """Return a keyword argument."""
        self.asked.add(key)
        return self.named.get(key, default)

    def check_rest(self) -> None:
        """Raise `UnsupportedError` for keyword arguments that nothing asked for."""
        left = [key for key in self.named if key not in self.asked]
        check_arguments({key: self.named[key] for key in left})

    def axis(self, axis: int) -> int:
        """Return an axis of one image, from an axis as Keras counts it."""
        shape = self.values[0].shape
        own = axis + len(shape) if axis < 0 else axis - 1
        if not 0 <= own < len(shape):
            raise GraphError(f"axis {axis} of a value of shape {shape} is the one of the images, or not there")
        return own

    def finish(self, step: Step | None, layer: Callable[[str], Value]) -> Value:
        """Append a layer and the activation behind it; the last node carries the name."""
        if step is None:
            return layer(self.name)
        return step(self.graph, self.name, layer(f"{self.name}/linear"))

    def on_image(self, axis: int, layer: Callable[[str, Value], Value], name: str | None = None) -> Value:
        """Append a layer that takes an axis of an image for its channels."""
        if len(self.x.shape) != 3:
            raise GraphError(f"it needs an image of three axes, but the value has the shape {self.x.shape}")
        return self.graph.with_channels(name or self.name, self.x, axis, layer)


def check_arguments(named: Mapping[str, Any]) -> None:
    """Raise `UnsupportedError` for keyword arguments of a call that change what it gives.

    ``training=True`` makes dropout, batch-norm and the random layers always behave as in training.
    """
    left = [
        f"{key:.40}={'a value' if isinstance(value, Value) else repr(value):.60}"
        for key, value in named.items()
        if key != "name" and value is not None and (key != "training" or value is not False)
    ]
    if left:
        hint = "; a network is read as it predicts: build it without training=True" if "training" in named else ""
        raise UnsupportedError(f"it is called with {', '.join(left)[:400]}{hint}")


Apply = Callable[[LayerCall], Value]
Reader = Callable[[LayerAttributes], Apply]

LAYERS: Registry[str, Reader] = Registry("layers of Keras")
"""By the class of the layer; a function of keras.ops is ``ops.`` and its class."""


layer = LAYERS.register
"""Enter a reader: it checks the attributes of a layer and returns what each call of it appends."""


def key_of(layer: KerasLayer) -> str:
    """Return where `LAYERS` has a layer; an ``.h5`` file does not tell functions of keras.ops from layers."""
    if layer.kind == "TFOpLambda":
        return f"tf.{layer.config.get('function')}"
    function = f"ops.{layer.kind}"
    if layer.module.startswith("keras.src.ops") or (layer.kind not in LAYERS and function in LAYERS):
        return function
    return layer.kind


def activation(attributes: LayerAttributes, key: str = "activation", default: str = "linear") -> Step | None:
    """Return what the activation in the attributes of a layer does: a function by its name, or a layer."""
    value = attributes.raw(key, default)
    if isinstance(value, dict) and value.get("class_name") in AS_ACTIVATION and isinstance(value.get("config"), dict):
        inner = LayerAttributes(KerasLayer(key, value["class_name"], "", value["config"], ()), attributes.version)
        apply = LAYERS[value["class_name"]](inner)
        inner.check_rest()
        return lambda graph, name, x: apply(LayerCall(graph, name, [x], {}, lambda *roles: []))
    return step_named(name_of(value), attributes.version)


AS_ACTIVATION = ("ReLU", "LeakyReLU", "ELU", "Softmax")
"""Layers without weights that Keras takes for ``activation=``."""
