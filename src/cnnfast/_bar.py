"""The bar of anything that takes long: on stderr if that is a terminal, and in notebooks."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

SOON = 0.5
"""Seconds; what is done by then needs no bar."""


def open_bar(total: int, done: int, unit: str, shown: bool | None = None, **look: Any) -> Any:
    """Return a bar of tqdm, or None.

    Parameters
    ----------
    total, done : int
        How many there are, and how many an earlier run has done.
    unit : str
        What is counted.
    shown : bool, optional
        By default whether stderr is a terminal, or this is a notebook.
    **look
        Further arguments of tqdm.

    Examples
    --------
    >>> open_bar(100, 0, " images", shown=False) is None
    True
    """
    if not (sys.stderr.isatty() or in_notebook() if shown is None else shown):
        return None
    return _kind()(total=total, initial=done, unit=unit, file=sys.stderr, dynamic_ncols=True, **look)


@contextmanager
def advancing(total: int, unit: str, shown: bool | None = None, **look: Any) -> Iterator[Callable[[int], object]]:
    """Show a bar in a ``with`` block that takes more than half a second; what it gives counts some more as done.

    Examples
    --------
    >>> with advancing(100, " images", shown=False, desc="reading") as advance:
    ...     advance(100)
    """
    bar = open_bar(total, 0, unit, shown, delay=SOON, leave=False, **look)
    try:
        yield _count_nothing if bar is None else bar.update
    finally:
        if bar is not None:
            bar.close()


def _count_nothing(number: int) -> None:
    """Do nothing."""


def in_notebook() -> bool:
    """Return whether this runs in a kernel of Jupyter, whose stderr is not a terminal but is looked at.

    Examples
    --------
    >>> in_notebook()
    False
    """
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and hasattr(get_ipython(), "kernel")


def _kind() -> Any:
    if not in_notebook():
        from tqdm import tqdm

        return tqdm
    with warnings.catch_warnings():
        # without ipywidgets it is a bar of characters, which says as much
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm as widget
    return widget


def above(bar: Any) -> AbstractContextManager[None]:
    """Return a context in which lines may be printed on stdout, above the bar if there is one."""
    return nullcontext() if bar is None else bar.external_write_mode(file=sys.stdout)
