"""JSON of a request: its depth is bounded before anything is made of it."""

from __future__ import annotations

import json
import re
from typing import Any

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
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise RequestError(400, f"the JSON has more than {MAX_CONTAINERS} lists and objects")
    try:
        # numbers have no hook: a call for each would take ten times as long, and later checks see what is not finite
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise RequestError(400, "the JSON is not in UTF-8") from None
    except ValueError as error:
        raise RequestError(400, f"the JSON is not proper: {error}"[:300]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice in one object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _is_too_deep(body: bytes) -> bool:
    """Remove the innermost pairs of brackets, level by level; each takes a moment, however many there are."""
    brackets = _STRING.sub(b"", body).translate(_SQUARE, _OTHERS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
