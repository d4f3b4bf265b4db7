"""What a request may take; beyond that it is refused before anything is made of it."""

from __future__ import annotations

from cnnfast._frozen import frozen

MEBIBYTE = 1 << 20

MAX_JSON = 4 * MEBIBYTE
"""Bytes of a JSON body: it is parsed while nothing else runs, and binary tensors do the same in a sixth of the time."""

MAX_JSON_HEADER = 64 << 10
"""Bytes of the JSON in front of binary tensors."""

MAX_DEPTH = 8
"""Of lists and objects in JSON."""

MAX_CONTAINERS = 1 << 18
"""Lists and objects in JSON: rows of pixels of many small images, each a list of its own."""

MAX_PARTS = 64
"""Parts of a multipart body."""

MAX_IMAGES = 256
"""Images of one request."""

LINGER_BYTES, LINGER_SECONDS = MEBIBYTE, 1.0
"""What is still read of a body, and thrown away, after it was refused: a client that is sending would otherwise get an
error of its connection in place of the answer."""


@frozen
class Limits:
    """Limits that the user may change.

    Attributes
    ----------
    max_bytes : int
        Of the body of a request.
    body_seconds : float
        In which all of it must have arrived.
    bodies : int
        Requests of `max_bytes` that may be in memory at once, or more that are smaller.
    """

    max_bytes: int = 20 * MEBIBYTE
    body_seconds: float = 30.0
    bodies: int = 8
