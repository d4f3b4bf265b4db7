"""How a reader's functions come into its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Enter(Protocol):
    """A decorator with the names under which it enters a function."""

    def __call__(self, *names: str) -> Callable[[Function], Function]:
        """Return the decorator."""
        ...


def entering(table: dict[str, Any]) -> Enter:
    """Return what enters functions into a table, each name once.

    Examples
    --------
    >>> table = {}
    >>> @entering(table)("relu", "Relu")
    ... def relu(x):
    ...     return max(x, 0)
    >>> sorted(table)
    ['Relu', 'relu']
    """

    def enter(*names: str) -> Callable[[Function], Function]:
        def decorate(function: Function) -> Function:
            for name in names:
                if name in table:
                    raise AssertionError(f"two functions are entered for {name!r}")
                table[name] = function
            return function

        return decorate

    return enter
