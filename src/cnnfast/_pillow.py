"""What is set in Pillow for the whole process, and must not decide what a picture shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_theirs = False


@contextmanager
def truncation_is_an_error() -> Iterator[None]:
    """Have Pillow refuse half of a picture inside of a ``with`` block, whatever another library has asked it to do.

    ``ImageFile.LOAD_TRUNCATED_IMAGES`` is a global that several libraries set when they are imported; then the missing
    part of a picture is grey, and nobody is told. It is put back when the last thread has left.

    Examples
    --------
    >>> from PIL import ImageFile
    >>> with truncation_is_an_error():
    ...     ImageFile.LOAD_TRUNCATED_IMAGES
    False
    """
    from PIL import ImageFile

    global _inside, _theirs
    with _lock:
        if _inside == 0:
            _theirs = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _theirs
