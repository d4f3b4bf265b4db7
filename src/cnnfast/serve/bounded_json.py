"""JSON of a request: its depth is bounded before anything is made of it."""

from __future__ import annotations

import re
from typing import Any

from cnnfast.errors import ModelFileError
from cnnfast.formats.strict_json import parse
from cnnfast.serve.exchange import RequestError
from cnnfast.serve.limits import MAX_CONTAINERS, MAX_DEPTH

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OTHERS = bytes(sign for sign in range(256) if sign not in b"[]{}")
_SQUARE = bytes.maketrans(b"{}", b"[]")


def read_json(body: bytes) -> Any:
    """Parse JSON of a stranger, or raise `RequestError`.

    Examples
    --------
    >>> read_json(b'{"a": [[1], "[["]}')
    {'a': [[1], '[[']}
    """
    if _is_too_deep(body):
        raise RequestError(
            400, f"the JSON has more than {MAX_DEPTH} levels of lists and objects, or brackets left over"
        )
    try:
        return parse(body.decode("utf-8"), "JSON", MAX_CONTAINERS)
    except UnicodeDecodeError:
        raise RequestError(400, "the JSON is not in UTF-8") from None
    except ModelFileError as error:
        raise RequestError(400, str(error)[:300]) from None


def _is_too_deep(body: bytes) -> bool:
    """Remove the innermost pairs of brackets, level by level; each takes a moment, however many there are."""
    brackets = _STRING.sub(b"", body).translate(_SQUARE, _OTHERS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
