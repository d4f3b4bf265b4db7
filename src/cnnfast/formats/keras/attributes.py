"""Attributes of a layer, as they are in the file: each is taken by a function that checks it, none is left over."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.keras.config import KerasLayer
from cnnfast.ops import Array

SILENT = ("name", "trainable", "batch_input_shape", "batch_shape", "build_config")
"""Attributes that say nothing about what a layer computes; nor do those that end in one of `SILENT_ENDS`."""
SILENT_ENDS = ("_initializer", "_regularizer", "_constraint")

FLOATS = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
"""Types that a layer may compute in; cnnfast computes in float32 whatever they are."""


def is_silent(key: str) -> bool:
    """Return whether an attribute says nothing about what a layer computes, whichever layer it is.

    Examples
    --------
    >>> is_silent("kernel_initializer"), is_silent("strides")
    (True, False)
    """
    return key in SILENT or key.endswith(SILENT_ENDS)


class LayerAttributes:
    """What the config of a layer states.

    Each method raises `ModelFileError` for a value that Keras never writes, and `UnsupportedError` for one that cnnfast
    does not run. What has been asked for is remembered, so that `check_rest` can refuse what nothing asked for.

    Examples
    --------
    >>> attributes = LayerAttributes(KerasLayer("conv", "Conv2D", "", {"strides": [2, 2], "gain": 3}, ()), version=3)
    >>> attributes.pair("strides")
    (2, 2)
    >>> attributes.check_rest()
    Traceback (most recent call last):
    cnnfast.errors.UnsupportedError: gain=3, which cnnfast knows nothing about
    """

    def __init__(self, layer: KerasLayer, version: int) -> None:
        self.layer = layer
        self.version = version
        """Of Keras: 2 or 3."""
        self._config = layer.config
        self._asked: set[str] = set()

    def raw(self, key: str, default: object = None) -> Any:
        """Return a value as it is, an array of NumPy as its numbers."""
        self._asked.add(key)
        return _plain(self._config.get(key, default))

    def ignore(self, *keys: str) -> None:
        """State that these attributes change nothing when a network predicts."""
        self._asked.update(keys)

    def ignore_all(self) -> None:
        """State that no attribute changes anything when a network predicts."""
        self.ignore(*self._config)

    def check_rest(self) -> None:
        """Raise `UnsupportedError` if the file states an attribute that nothing asked for; null states nothing."""
        self._check_dtype()
        rest = {key: value for key, value in self._config.items() if value is not None and not is_silent(key)}
        left = [f"{key:.40}={value!r:.60}" for key, value in rest.items() if key not in self._asked]
        if left:
            raise UnsupportedError(f"{', '.join(left)[:400]}, which cnnfast knows nothing about")

    def _check_dtype(self) -> None:
        """Raise unless the layer computes in floats: any other type would round, or comes with other weights."""
        value = self.raw("dtype")
        if isinstance(value, dict):
            inner = value.get("config")
            value = inner.get("name") if isinstance(inner, dict) else value.get("class_name")
        if value is not None and value not in FLOATS:
            raise UnsupportedError(f"dtype={value!r:.60}; supported: {', '.join(FLOATS)}")

    def refuse(self, reason: str) -> UnsupportedError:
        """Return the error that says what about this layer is not supported."""
        return UnsupportedError(reason)

    def _wrong(self, key: str, rule: str) -> ModelFileError:
        return ModelFileError(f"{key} must be {rule}, but is {self._config.get(key)!r:.80}")

    def flag(self, key: str, default: bool) -> bool:
        """Return a truth value, which may be written as 0 or 1."""
        value = self.raw(key, default)
        if value is None or (isinstance(value, int | float) and value in (0, 1)):
            return default if value is None else bool(value)
        raise self._wrong(key, "true or false")

    def integer(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return an integer."""
        value = self.raw(key, default)
        if type(value) is not int or value < least:
            raise self._wrong(key, f"an integer of at least {least}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number."""
        value: Any = self.raw(key, default)
        if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
            raise self._wrong(key, "a finite number")
        return float(value)

    def array(self, key: str, default: object = None) -> Array:
        """Return a number or nested lists of numbers as an array of float64."""
        try:
            array = np.array(self.raw(key, default), np.float64)
        except (TypeError, ValueError, OverflowError):
            array = np.array(np.nan)
        if array.ndim > 4 or array.size == 0 or not np.isfinite(array).all():
            raise self._wrong(key, "finite numbers")
        return array

    def integers(self, key: str, default: object = None) -> tuple[int, ...]:
        """Return one or several integers."""
        value = self.raw(key, default)
        value = [value] if type(value) is int else value
        if not isinstance(value, list) or not value or not all(type(v) is int for v in value):
            raise self._wrong(key, "integers")
        return tuple(value)

    def pair(self, key: str, default: object = None) -> tuple[int, int]:
        """Return (vertical, horizontal)."""
        values = self.integers(key, default)
        values = values * 2 if len(values) == 1 else values
        if len(values) != 2 or min(values) < 1:
            raise self._wrong(key, "two integers of at least 1")
        return values[0], values[1]

    def sides(self, key: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return ((top, bottom), (left, right))."""
        value = self.raw(key)
        value = [value, value] if type(value) is int else value
        if not isinstance(value, list) or len(value) != 2:
            raise self._wrong(key, "((top, bottom), (left, right))")
        both = [[side, side] if type(side) is int else side for side in value]
        if not all(isinstance(s, list) and len(s) == 2 and all(type(v) is int and v >= 0 for v in s) for s in both):
            raise self._wrong(key, "((top, bottom), (left, right))")
        return (both[0][0], both[0][1]), (both[1][0], both[1][1])

    def choice(self, key: str, default: str, *known: str) -> str:
        """Return one of some words."""
        value = self.raw(key)
        value = default if value is None else value
        if not isinstance(value, str):
            raise self._wrong(key, f"one of {', '.join(known)}")
        if value not in known:
            raise self.refuse(f"{key}={value:.40}; supported: {', '.join(known)}")
        return value

    def channels_axis(self) -> int:
        """Return the axis of one image that the layer takes for its channels: 2, or 0 where they are first."""
        return {"channels_first": 0, "channels_last": 2}[
            self.choice("data_format", "channels_last", "channels_last", "channels_first")
        ]


def _plain(value: Any) -> Any:
    """Return a value without the object in which Keras wraps what NumPy or a backend made.

    Keras 2.2 writes ``{"type": "ndarray", "value": 6.0}``, Keras 3 ``{"class_name": "__numpy__", "config": {"value":
    6.0, "dtype": "float32"}}``.
    """
    if not isinstance(value, dict):
        return value
    if value.get("type") == "ndarray" and "value" in value:
        return value["value"]
    inner = value.get("config")
    if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(inner, dict):
        return inner.get("value")
    return value
