"""What of an error is not of cnnfast's making: a reader that meets an exception of NumPy has not asked before."""

from __future__ import annotations

import traceback
from pathlib import Path

from cnnfast.errors import CnnfastError

LIBRARIES = ("onnx",)
"""Packages that check files themselves: what they raise, and cnnfast rephrases, is an answer."""


def foreign(error: BaseException) -> str | None:
    """Return what and where the first exception is, among an error and its causes, that is not one of cnnfast's own."""
    reason: BaseException | None = error
    while reason is not None:
        if not isinstance(reason, CnnfastError):
            frame = traceback.extract_tb(reason.__traceback__)[-1]
            if reason is not error and Path(frame.filename).parent.name in LIBRARIES:
                return None
            return f"{type(reason).__name__}: {reason} at {Path(frame.filename).name}:{frame.lineno}"
        reason = reason.__cause__
    return None
