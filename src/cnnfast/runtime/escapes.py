r"""Names of files as text: what is not UTF-8, and what would break a line, is written as ``\xHH``.

Any byte but ``/`` and zero may be in the name of a file, so a name need not be text. Where a name has a backslash that
looks like such an escape, the backslash is escaped itself, so that every name is read back exactly.

On Windows names are text, and backslashes separate folders: ``photos\xab.png`` stays as it is there.
"""

from __future__ import annotations

import os
import re

BACKSLASH_SEPARATES = os.name == "nt"
ESCAPE = re.compile(r"\\x(?=[0-9a-f]{2})")
ESCAPED_BYTE = re.compile(rb"\\x([0-9a-f]{2})")
BREAKS_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Line ends, tabs, and what a terminal would take for a command."""


def as_text(name: str) -> str:
    r"""Return a name as UTF-8 can express it.

    Examples
    --------
    >>> as_text("caf\udce9.jpg"), as_text("café.jpg"), as_text(r"\x41.jpg")
    ('caf\\xe9.jpg', 'café.jpg', '\\x5cx41.jpg')
    """
    shielded = _shielded(name)
    try:
        return shielded.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no name of a file, which Python makes of bytes
        return shielded.encode("utf-8", "backslashreplace").decode()


def from_text(text: str) -> str:
    r"""Return the name that `as_text` or `in_line` has written.

    Examples
    --------
    >>> from_text(as_text("caf\udce9.jpg")) == "caf\udce9.jpg"
    True
    """
    if BACKSLASH_SEPARATES:
        return text
    raw = ESCAPED_BYTE.sub(lambda found: bytes([int(found[1], 16)]), text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def in_line(name: str) -> str:
    r"""Return a name that stays in its line, and in its column between tabs; bytes that are not UTF-8 stay as they are.

    Examples
    --------
    >>> in_line("two\nlines.jpg")
    'two\\x0alines.jpg'
    """
    return told(_shielded(name))


def told(reason: str) -> str:
    r"""Return what is said about a file so that it stays in its line; nothing reads it back.

    Examples
    --------
    >>> told(r"broken \xf4") == r"broken \xf4", told("two\nlines")
    (True, 'two\\x0alines')
    """
    return BREAKS_A_LINE.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in found[0].encode()), reason)


def _shielded(name: str) -> str:
    return name if BACKSLASH_SEPARATES else ESCAPE.sub(r"\\x5cx", name)
