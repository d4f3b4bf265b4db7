"""The bar of anything that takes long: on stderr, and only on a terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def open_bar(total: int, done: int, unit: str, shown: bool | None = None, **look: Any) -> Any:
    """Return a bar of tqdm, or None.

    Parameters
    ----------
    total, done : int
        How many there are, and how many an earlier run has done.
    unit : str
        What is counted.
    shown : bool, optional
        By default whether stderr is a terminal.
    **look
        Further arguments of tqdm.

    Examples
    --------
    >>> open_bar(100, 0, " images", shown=False) is None
    True
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        return None
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=unit, file=sys.stderr, dynamic_ncols=True, **look)


def above(bar: Any) -> AbstractContextManager[None]:
    """Return a context in which lines may be printed on stdout, above the bar if there is one."""
    return nullcontext() if bar is None else bar.external_write_mode(file=sys.stdout)
