"""Keras as another engine; it may run code of the file it is given, as the user asks for by naming it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.compare.backends import Backend
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.formats.keras.order import Order, order_of
from cnnfast.ops import Array, Shape


class Keras(Backend):
    """Keras on a .keras or .h5 file; every layer with one result, its elements in the order of the network."""

    def __init__(self, path: Path) -> None:
        with needs("the engine keras (where TensorFlow is not installed, set KERAS_BACKEND=torch or =jax)", "keras"):
            keras: Any = import_module("keras")
        self.title = f"Keras on {path}"
        self._keras, self._path = keras, path
        with self._errors("cannot open it"):
            self._model = keras.models.load_model(str(path), compile=False)
            (self._result,) = self._model.outputs
            self.output = self._result._keras_history.operation.name
            found = {name: (tensor, kind) for name, tensor, kind in _tensors(keras, self._model)}
        # the output last, by the name of the layer or model that gives it
        found.pop(self.output, None)
        found[self.output] = self._result, "output"
        self._tensors = {name: tensor for name, (tensor, _) in found.items()}
        self.layers: dict[str, tuple[str, Shape]] = {name: (kind, ()) for name, (_, kind) in found.items()}

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Compute layers."""
        names = [self.output, *(name for name in dict.fromkeys(wanted) if name != self.output)]
        order = self._order(images.shape[1:])
        batch = images.transpose(0, 2, 3, 1) if images.ndim == 4 and order.channels_last else images
        with self._errors("cannot run it"):
            inner = self._keras.Model(self._model.inputs, [self._tensors[name] for name in names])
            results = inner.predict(batch, verbose=0)
        results = results if isinstance(results, list) else [results]
        return {name: order.in_network(name, np.asarray(r)) for name, r in zip(names, results, strict=True)}

    def _order(self, shape: Shape) -> Order:
        """Return the order of elements in the file, which only differs from the network's where cnnfast reads both."""
        try:
            return order_of(self._path, shape)
        except CnnfastError:
            return Order(shape[0] != self._model.input_shape[1], {})

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn whatever Keras and its backend raise about a file into an error, and drop their warnings."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:
            reason = str(error).strip().splitlines()
            raise ConfigError(
                f"{self._path}: Keras {self._keras.__version__} {what} "
                f"({type(error).__name__}: {reason[0] if reason else 'no reason given':.300})"
            ) from error


def _tensors(keras: Any, model: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the layers of a model that are called once and give one result, with it and their class.

    Those of a model inside come after its name and a slash.
    """
    calls = list(_calls(model))
    often = Counter(id(layer) for layer, *_ in calls)
    for layer, sources, tensor in calls:
        if often[id(layer)] > 1 or tensor is None:
            continue
        if not hasattr(layer, "layers"):
            yield layer.name, tensor, type(layer).__name__
        elif len(sources) == len(layer.inputs) == 1 and (inside := list(_tensors(keras, layer))):
            results = keras.Model(layer.inputs, [own for _, own, _ in inside])(sources[0])
            results = results if isinstance(results, list) else [results]
            for (name, _, kind), result in zip(inside, results, strict=True):
                yield f"{layer.name}/{name}", result, kind


def _calls(model: Any) -> Iterator[tuple[Any, list[Any], Any]]:
    """Yield the calls that lead to the outputs of a model, first to last: the layer, what it reads, its only result."""
    seen = {id(tensor) for tensor in model.inputs}
    waiting = [(tensor, False) for tensor in model.outputs]
    while waiting:
        tensor, is_ready = waiting.pop()
        layer, number, _ = tensor._keras_history
        node = layer._inbound_nodes[number]
        if is_ready:
            yield layer, node.input_tensors, tensor if len(node.output_tensors) == 1 else None
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            waiting += [(tensor, True), *((source, False) for source in reversed(node.input_tensors))]
