"""Functions that are pickled by value: all else of cnnfast is pickled by name, and an executor may lack it.

Each is made inside of another function, which is what cloudpickle looks at, and refers to nothing of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def on_executor(module: str, function: str, version: str) -> Callable[..., Any]:
    """Return a function that calls one of cnnfast where it runs, or says how cnnfast gets there."""

    def call(*arguments: Any, **options: Any) -> Any:
        import importlib
        import platform
        import sys

        try:
            found = getattr(importlib.import_module(module), function)
        except ImportError as error:
            raise RuntimeError(
                f"executor {platform.node()}: {sys.executable} cannot import cnnfast ({error}); install it there: "
                f'pip install "cnnfast[arrow]=={version}", or set PYSPARK_PYTHON to a Python that has it'
            ) from error
        return found(*arguments, **options)

    return call


def map_in_arrow(call: Callable[..., Any], **fixed: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return a function for ``DataFrame.mapInArrow``."""

    def function(batches: Iterator[Any]) -> Iterator[Any]:
        return call(batches, **fixed)  # type: ignore[no-any-return]  # an iterator

    return function


def returning(call: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return a function without arguments, as ``predict_batch_udf`` wants it."""

    def function() -> Any:
        return call(*arguments)

    return function
