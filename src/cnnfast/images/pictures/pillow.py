"""What is set in Pillow for the whole process, and must not decide what a picture shows or whether it is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cnnfast.runtime.forks import in_forked_children

_lock = threading.Lock()
_inside = 0
_theirs: tuple[bool, int | None] = (False, None)


@contextmanager
def our_own_rules(max_pixels: int) -> Iterator[None]:
    """Have Pillow refuse half of a picture, and none of up to ``max_pixels``, inside of a ``with`` block.

    ``ImageFile.LOAD_TRUNCATED_IMAGES`` is a global that several libraries set when they are imported; then the missing
    part of a picture is gray, without any warning. ``Image.MAX_IMAGE_PIXELS`` is one as well, and is raised where it
    forbids what cnnfast's own limit allows. Both are put back when the last thread has left.

    Examples
    --------
    >>> from PIL import ImageFile
    >>> with our_own_rules(10**8):
    ...     ImageFile.LOAD_TRUNCATED_IMAGES
    False
    """
    from PIL import Image, ImageFile

    global _inside, _theirs
    with _lock:
        if _inside == 0:
            _theirs = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        if Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = _theirs


def _after_fork_in_child() -> None:
    global _inside
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    if _inside:
        # threads that were inside never leave here
        from PIL import Image, ImageFile

        _inside = 0
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = _theirs


in_forked_children(_after_fork_in_child)
