"""Frozen dataclasses that are quick to define.

The rule: a record that never changes is ``@frozen``, one that does is ``@dataclass(eq=False, repr=False)``, and
``dataclass(frozen=True)`` is not used. ``@frozen(eq=False)`` is for records of arrays, which ``==`` cannot compare.

`dataclasses.dataclass` compiles six methods for every class, a third of a millisecond each time; with a hundred classes
that was the largest part of ``import cnnfast.network.network``. Here all but ``__init__`` are shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

__all__ = ["field", "frozen"]

Class = TypeVar("Class", bound=type)


@overload
def frozen(cls: Class) -> Class: ...
@overload
def frozen(*, eq: bool = True, kw_only: bool = False) -> Callable[[Class], Class]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: Class | None = None, *, eq: bool = True, kw_only: bool = False) -> Class | Callable[[Class], Class]:
    """Make a class what ``dataclass(frozen=True)`` makes of it.

    Parameters
    ----------
    cls : type
    eq : bool
        Compare and hash by value; else by identity.
    kw_only : bool
        Take fields by keyword only.

    Examples
    --------
    >>> @frozen
    ... class Size:
    ...     height: int
    ...     width: int = 1
    >>> Size(2), Size(2, 1) == Size(2), {Size(2): "found"}[Size(2)]
    (Size(height=2, width=1), True, 'found')
    >>> Size(2).height = 3
    Traceback (most recent call last):
    dataclasses.FrozenInstanceError: cannot assign to field 'height'
    """
    if cls is None:
        return lambda cls: _made(cls, eq, kw_only)
    return _made(cls, eq, kw_only)


def _made(cls: Class, eq: bool, kw_only: bool) -> Class:
    shared = {"__setattr__": _set_once, "__delattr__": _refuse_to_delete, "__repr__": _describe}
    if eq:
        shared |= {"__eq__": _equal, "__hash__": _hash}
    own = set(vars(cls)) - {"__hash__"}
    dataclass(eq=False, repr=False, kw_only=kw_only)(cls)
    cls.__fields__ = tuple(f.name for f in fields(cls))  # type: ignore[attr-defined]
    for name, method in shared.items():
        if name not in own:
            setattr(cls, name, method)
    return cls


def _set_once(self: Any, name: str, value: object) -> None:
    # `__init__` sets each field once; from then on every name is taken or unknown
    if name in self.__dict__ or name not in self.__fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _values(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, name) for name in self.__fields__)


def _equal(self: object, other: object) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _describe(self: Any) -> str:
    values = zip(self.__fields__, _values(self), strict=True)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in values)})"
