"""The list of the layers of Keras that cnnfast reads, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfast._registry import Registry
from cnnfast.errors import GraphError, ModelFileError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.keras.activations import Step, name_of, step_named
from cnnfast.formats.keras.attributes import Attributes
from cnnfast.formats.keras.config import Layer
from cnnfast.ops import Array


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes
    ----------
    graph : ImageGraph
        Where to append nodes.
    name : str
        What the last of them must be called.
    operands : list of Value or array
        What the layer is called on, lists unrolled.
    named : dict
        Keyword arguments.
    weights : callable (*roles) -> list of array
        The weights of the layer in the order in which Keras makes them, as float32.
    """

    graph: ImageGraph
    name: str
    operands: list[Value | Array]
    named: dict[str, Any]
    weights: Callable[..., list[Array]]

    @property
    def x(self) -> Value:
        """The only value that the layer is called on."""
        if not self.operands or not isinstance(self.operands[0], Value):
            raise ModelFileError("it must be called on a value")
        return self.operands[0]

    @property
    def values(self) -> list[Value]:
        """All operands, none of them a constant."""
        values = [v for v in self.operands if isinstance(v, Value)]
        if len(values) < len(self.operands) or not values:
            raise ModelFileError("it must be called on values")
        return values

    def axis(self, axis: int) -> int:
        """Return an axis of one image, from an axis as Keras counts it."""
        rank = len(self.x.shape)
        own = axis + rank if axis < 0 else axis - 1
        if not 0 <= own < rank:
            raise GraphError(f"axis {axis} of a value of shape {self.x.shape} is the one of the images, or not there")
        return own

    def need_channels(self, axes: Sequence[int]) -> None:
        """Raise unless the axes are the channels alone."""
        if [self.axis(axis) for axis in axes] != [self.graph.channel_axis(len(self.x.shape))]:
            raise GraphError(f"axis must be the one of the channels, but is {list(axes)} for the shape {self.x.shape}")

    def finish(self, step: Step | None, layer: Callable[[str], Value]) -> Value:
        """Append a layer and the activation behind it; the last node carries the name."""
        if step is None:
            return layer(self.name)
        return step(self.graph, self.name, layer(f"{self.name}/linear"))


Apply = Callable[[Call], Value]
Reader = Callable[[Attributes], Apply]

LAYERS: Registry[str, Reader] = Registry("layers of Keras")
"""By the class of the layer; a function of keras.ops is ``ops.`` and its class."""


layer = LAYERS.register
"""Enter a reader: it checks the attributes of a layer and returns what each call of it appends."""


def key_of(layer: Layer) -> str:
    """Return where `LAYERS` has a layer; an ``.h5`` file does not tell functions of keras.ops from layers."""
    if layer.kind == "TFOpLambda":
        return f"tf.{layer.config.get('function')}"
    function = f"ops.{layer.kind}"
    if layer.module.startswith("keras.src.ops") or (layer.kind not in LAYERS and function in LAYERS):
        return function
    return layer.kind


def activation(attributes: Attributes, key: str = "activation", default: str = "linear") -> Step | None:
    """Return what the activation in the attributes of a layer does."""
    return step_named(name_of(attributes.raw(key, default)), attributes.version)


def numbers(value: object, what: str) -> Array:
    """Return a number or nested lists of numbers as an array of float64."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        value = value["config"].get("value")
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim > 3 or array.size == 0 or not np.isfinite(array).all():
        raise ModelFileError(f"{what} must be finite numbers, but is {value!r:.80}")
    return array
