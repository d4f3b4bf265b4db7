"""Checks of the fields of a `Preprocess`: each returns the value to keep, or says what is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnfast.errors import ConfigError
from cnnfast.runtime.arguments import quoted

MAX_SIDE = 1 << 16
MAX_PIXELS = 1 << 26
"""Limits of ``size``: a damaged model file must not make one picture fill the memory."""


def size(value: object) -> tuple[int, int]:
    """Return (H, W), each and together within bounds, or raise `ConfigError`."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(_is_int(side) for side in value):
        height, width = int(value[0]), int(value[1])
        if 1 <= min(height, width) <= max(height, width) <= MAX_SIDE and height * width <= MAX_PIXELS:
            return height, width
    raise ConfigError(
        f"size of the preprocessing must be (H, W), each from 1 to {MAX_SIDE} and together at most "
        f"{MAX_PIXELS} pixels, but is {quoted(value)}; for a square too both are given, as in size=(32, 32)"
    )


def one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise `ConfigError` unless a value is one of some words."""
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f"{name} of the preprocessing must be one of {', '.join(choices)}, but is {quoted(value)}")


def number(name: str, value: object) -> float:
    """Return a finite number as a float, or raise `ConfigError`."""
    # math.isfinite, not a cast: an int of a thousand digits is valid JSON and overflows a float.
    try:
        if isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (OverflowError, TypeError):
        pass
    raise ConfigError(f"{name} of the preprocessing must be a finite number, but is {quoted(value)}")


def per_channel(name: str, value: object, count: int) -> tuple[float, ...]:
    """Return a number for each channel, or raise `ConfigError`."""
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) not in (1, count):
        raise ConfigError(f"{name} of the preprocessing must have 1 or {count} values, but has {len(values)}")
    numbers = tuple(number(name, v) for v in values)
    return numbers * count if len(numbers) == 1 else numbers


def color(value: object) -> tuple[int, int, int]:
    """Return red, green and blue, or raise `ConfigError`."""
    if isinstance(value, list | tuple) and len(value) == 3 and all(_is_int(v) and 0 <= v <= 255 for v in value):
        return int(value[0]), int(value[1]), int(value[2])
    raise ConfigError(f"background of the preprocessing must be three integers from 0 to 255, but is {quoted(value)}")


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
