"""How entries get into a list: each is registered by its own file, and only once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
Member = TypeVar("Member")


class Registry(dict[K, V]):
    """A dictionary that is filled by decorators, and takes each key once.

    Parameters
    ----------
    kind : str
        What its members are, for the error about a key that is taken.

    Examples
    --------
    >>> readers = Registry("readers")
    >>> @readers.register("relu", "Relu")
    ... def relu(x):
    ...     return max(x, 0)
    >>> sorted(readers)
    ['Relu', 'relu']
    >>> readers.add("relu", abs)
    Traceback (most recent call last):
    AssertionError: two readers are registered as 'relu'
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def add(self, key: K, member: Member) -> Member:
        """Enter a member under a key, and return it."""
        if key in self:
            raise AssertionError(f"two {self.kind} are registered as {key!r}")
        self[key] = member  # type: ignore[assignment]
        return member

    def register(self, *keys: K) -> Callable[[Member], Member]:
        """Return a decorator that enters what it decorates under each key."""

        def enter(member: Member) -> Member:
            for key in keys:
                self.add(key, member)
            return member

        return enter

    def of_instance(self, value: object) -> V | None:
        """Return the member for the class of a value, or for the nearest class that it derives from, or None."""
        return next((self[cls] for cls in type(value).__mro__ if cls in self), None)  # type: ignore[index]
