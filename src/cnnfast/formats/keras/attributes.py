"""Attributes of a layer, as they stand in the file: each is taken by a function that checks it."""

from __future__ import annotations

import sys
from typing import Any

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.keras.config import Layer


class Attributes:
    """What the config of a layer says.

    Each method raises `ModelFileError` for a value that Keras never writes, and `UnsupportedError` for one that cnnfast
    does not run.

    Examples
    --------
    >>> attributes = Attributes(Layer("conv", "Conv2D", "", {"strides": [2, 2]}, ()), version=3)
    >>> attributes.pair("strides")
    (2, 2)
    """

    def __init__(self, layer: Layer, version: int) -> None:
        self.layer = layer
        self.version = version
        """Of Keras: 2 or 3."""
        self._config = layer.config

    def raw(self, key: str, default: object = None) -> Any:
        """Return a value as it is."""
        return self._config.get(key, default)

    def refuse(self, reason: str) -> UnsupportedError:
        """Return the error that says what about this layer is not supported."""
        return UnsupportedError(reason)

    def _wrong(self, key: str, rule: str) -> ModelFileError:
        return ModelFileError(f"{key} must be {rule}, but is {self._config.get(key)!r:.80}")

    def flag(self, key: str, default: bool) -> bool:
        """Return a truth value."""
        value = self._config.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def integer(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return an integer."""
        value = self._config.get(key, default)
        if type(value) is not int or value < least:
            raise self._wrong(key, f"an integer of at least {least}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number; a scalar array of Keras 3 is an object around it."""
        value: Any = self._config.get(key, default)
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            value = value["config"].get("value")
        if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
            raise self._wrong(key, "a finite number")
        return float(value)

    def integers(self, key: str, default: object = None) -> tuple[int, ...]:
        """Return one or several integers."""
        value = self._config.get(key, default)
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
        value = self._config.get(key)
        value = [value, value] if type(value) is int else value
        if not isinstance(value, list) or len(value) != 2:
            raise self._wrong(key, "((top, bottom), (left, right))")
        both = [[side, side] if type(side) is int else side for side in value]
        if not all(isinstance(s, list) and len(s) == 2 and all(type(v) is int and v >= 0 for v in s) for s in both):
            raise self._wrong(key, "((top, bottom), (left, right))")
        return (both[0][0], both[0][1]), (both[1][0], both[1][1])

    def choice(self, key: str, default: str, *known: str) -> str:
        """Return one of some words."""
        value = self._config.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, f"one of {', '.join(known)}")
        if value not in known:
            raise self.refuse(f"{key}={value:.40}; supported: {', '.join(known)}")
        return value
