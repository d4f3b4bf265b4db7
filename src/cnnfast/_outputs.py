"""Where a file may be written: asked before the work whose result it is to hold."""

from __future__ import annotations

import os
from pathlib import Path

from cnnfast.errors import OutputError


def check_folder(path: Path) -> None:
    """Raise `OutputError` unless there is a folder that a file of this name can be written into.

    Examples
    --------
    >>> check_folder(Path("missing/rows.csv"))
    Traceback (most recent call last):
    cnnfast.errors.OutputError: missing/rows.csv: there is no folder missing; make it first, or write elsewhere
    """
    # os.path, because a Path raises where a name is too long
    if os.path.isdir(path):
        raise OutputError(f"{path}: is a folder; name a file in it")
    if not os.path.isdir(path.parent):
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first, or write elsewhere")
