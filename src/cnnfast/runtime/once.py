"""What is made when it is first needed, and once, however many threads ask for it at the same time."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self, TypeVar, overload

from cnnfast.runtime.dispatch import kernels

T = TypeVar("T")


class made_once(cached_property[T]):
    """A `cached_property` that one thread makes while all others wait for it.

    Without a lock, which `cached_property` has not had since Python 3.12, a server whose first sixteen requests arrive
    together would plan its network sixteen times. There is one lock for the process, ``_kernels.planning``, which
    programs take too while they pack their weights; a fork waits until it is free.

    Examples
    --------
    >>> class Answer:
    ...     @made_once
    ...     def value(self):
    ...         print("thinking")
    ...         return 42
    >>> answer = Answer()
    >>> answer.value, answer.value
    thinking
    (42, 42)
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        assert self.attrname is not None
        with kernels.planning:
            values = instance.__dict__
            if self.attrname not in values:
                values[self.attrname] = self.func(instance)
            return values[self.attrname]
