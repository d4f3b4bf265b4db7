"""Keras as another engine; it may run code of the file it is given, as the user asks for by naming it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.compare.sides import Side
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.formats.keras.order import Order, order_of
from cnnfast.ops import Array, Shape


class Keras(Side):
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
        self._tensors = dict(_tensors(self._model)) | {self.output: self._result}
        self.layers: dict[str, tuple[str, Shape]] = {
            name: (type(tensor._keras_history.operation).__name__, ()) for name, tensor in self._tensors.items()
        }

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


def _tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers of a model that give one result, and it; those in models inside it have none of their own."""
    for layer in model.layers:
        tensor = None if hasattr(layer, "layers") else getattr(layer, "output", None)
        if not isinstance(tensor, list | tuple | None):
            yield layer.name, tensor
