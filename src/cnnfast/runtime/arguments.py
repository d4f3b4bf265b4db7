"""What callers may pass: each check returns the argument as the expected type, or raises an error that says why not.

A wrong value is an error of ours that names the argument, never a traceback from inside. A long one is quoted in part.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cnnfast.errors import CnnfastError, ConfigError

Kind = TypeVar("Kind")
LARGEST = (1 << 63) - 1


def quoted(value: object) -> str:
    """Return a value as a message shows it.

    Examples
    --------
    >>> quoted("x" * 200)[-4:], quoted(type("Odd", (), {"__repr__": lambda self: 1 / 0})())
    ('xxx…', 'a Odd')
    """
    try:
        text = repr(value)
    # a repr may be third-party code
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:80]}…"


def path_of(what: str, value: object, error: type[CnnfastError] = ConfigError) -> Path:
    """Return a path, or raise the error.

    Examples
    --------
    >>> path_of("the model file", None)
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: the model file must be a path (str or pathlib.Path), but is None
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or "\0" in os.fspath(value):
        raise error(f"{what} must be a path (str or pathlib.Path), but is {quoted(value)}")
    if not os.fspath(value):
        # which pathlib takes for the current folder
        raise error(f"{what} must be a path, but is an empty text; '.' names the current folder")
    return Path(value)


def has_any(value: object, *names: str) -> bool:
    """Return whether a value has one of these attributes; looking for them may raise anything."""
    try:
        return any(hasattr(value, name) for name in names)
    # attributes may be third-party code
    except Exception:
        return False


def whole(name: str, value: object, least: int, most: int = LARGEST, error: type[CnnfastError] = ConfigError) -> int:
    """Return an integer of a range as an int, or raise the error.

    Examples
    --------
    >>> whole("batch", np.int64(3), least=1)
    3
    """
    if is_whole(value) and least <= int(value) <= most:  # type: ignore[call-overload]  # it is one
        return int(value)  # type: ignore[call-overload,no-any-return]
    bound = f"from {least} up" if most == LARGEST else f"from {least} to {most}"
    raise error(f"{name} must be an integer {bound}, but is {quoted(value)}")


def check_range(name: str, value: float, above: float | None = None, below: float | None = None) -> None:
    """Raise `ConfigError` unless ``value`` is a finite number: from 0 or above ``above``, and below ``below``."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    number = number and _is_finite(value)
    if not number or (value < 0 if above is None else value <= above) or (below is not None and value >= below):
        low = "from 0" if above is None else f"above {above:g}"
        high = "" if below is None else f" and below {below:g}"
        raise ConfigError(f"{name} must be a number {low}{high}, but is {quoted(value)}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    # a Python integer may be larger than any float
    except OverflowError:
        return False


def set_whole(settings: object, name: str, least: int, called: str = "") -> None:
    """Make a field of frozen settings a Python int of a range, or raise `ConfigError`."""
    object.__setattr__(settings, name, whole(called or name, getattr(settings, name), least))


def is_whole(value: object) -> bool:
    """Return whether a value is an integer of Python, NumPy or another library, and neither a bool nor an array."""
    if isinstance(value, bool | np.bool_ | np.ndarray):
        return False
    try:
        operator.index(value)  # type: ignore[arg-type]  # that is the question
    # another library's number may raise what it likes
    except Exception:
        return False
    return True


def one_of(name: str, value: object, known: Iterable[str], error: type[CnnfastError] = ConfigError) -> str:
    """Return a word if it is known, or raise the error."""
    choices = tuple(known)
    if isinstance(value, str) and value in choices:
        return value
    raise error(f"{name} must be one of {', '.join(map(repr, choices))}, but is {quoted(value)}")


def flag(name: str, value: object) -> bool:
    """Return a bool, or raise `ConfigError`."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ConfigError(f"{name} must be True or False, but is {quoted(value)}")


def instance(what: str, value: object, kind: type[Kind], hint: str, error: type[CnnfastError] = ConfigError) -> Kind:
    """Return a value of a class, or raise the error with how one is made."""
    if isinstance(value, kind):
        return value
    raise error(f"{what} must be a {kind.__name__}, {hint}, but is {quoted(value)}")


def listed(what: str, value: object, error: type[CnnfastError] = ConfigError) -> list[Any]:
    """Return the items of an iterable, or raise the error; a text or a mapping is not a list of things.

    Examples
    --------
    >>> listed("layers", "Relu")
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: layers must be a list, but is 'Relu'
    """
    if isinstance(value, str | bytes | bytearray | Mapping):
        raise error(f"{what} must be a list, but is {quoted(value)}")
    try:
        return list(value)  # type: ignore[call-overload,no-any-return]  # that is the question
    # an iterator may raise anything
    except Exception as cause:
        raise error(f"{what} must be a list, but is {quoted(value)}") from cause


def labels(what: str, value: object, error: type[CnnfastError] = ConfigError) -> tuple[str, ...] | None:
    """Return labels as a tuple of str, or None for None, or raise the error."""
    if value is None:
        return None
    names = listed(what, value, error)
    for name in names:
        if not isinstance(name, str):
            raise error(f"{what} must be a list of str, but holds {quoted(name)}")
    return tuple(map(str, names))


def text(what: str, value: object) -> str | None:
    """Return a text, or None for None, or raise `ConfigError`."""
    if value is None or isinstance(value, str):
        return value
    raise ConfigError(f"{what} must be a text, but is {quoted(value)}")


def many(what: str, value: object, error: type[CnnfastError] = ConfigError) -> Iterable[Any]:
    """Return an iterable, which may be endless, or raise the error; a single path or picture is not one."""
    single = (str, bytes, bytearray, memoryview, os.PathLike, Mapping)
    try:
        if not isinstance(value, single) and not hasattr(value, "read"):
            return iter(value)  # type: ignore[call-overload,no-any-return]  # that is the question
    # attributes and iterators may raise anything
    except Exception:
        pass
    raise error(f"{what} must be several, such as a list, but is {quoted(value)}; put a single one into [ ]")


def texts(what: str, value: object) -> dict[str, str]:
    """Return a mapping of str to str as a dict, or raise `ConfigError`; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for pair in value.items() for v in pair):
        raise ConfigError(f"{what} must map str to str, but is {quoted(value)}")
    return dict(value)


def shape_of(what: str, value: object, error: type[CnnfastError] = ConfigError) -> tuple[int, ...]:
    """Return a shape as a tuple of int, or raise the error.

    Examples
    --------
    >>> shape_of("input_shape", [np.int64(3), 32, 32])
    (3, 32, 32)
    """
    sizes = [value] if is_whole(value) else None
    if sizes is None:
        try:
            sizes = listed(what, value, error)
        except error:
            sizes = []
    if not sizes or not all(is_whole(size) for size in sizes):
        raise error(f"{what} must be sizes such as (3, 32, 32), integers, but is {quoted(value)}")
    return tuple(operator.index(size) for size in sizes)  # type: ignore[arg-type]
