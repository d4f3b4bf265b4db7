"""JSON from a stranger: no duplicate keys, no NaN, no huge numbers, no endless nesting, no explosion in memory."""

from __future__ import annotations

import json
import math
from typing import Any

from cnnfast.errors import ModelFileError

MAX_DIGITS = 19
"""Integers of more digits do not fit 64 bits."""


def parse(text: str, what: str, max_containers: int) -> Any:
    """Parse JSON that breaks none of the rules above.

    Parameters
    ----------
    text : str
    what : str
        The part of the file that it is, for the message.
    max_containers : int
        How many lists and objects there may be; an empty one takes 2 bytes in the file and 60 in memory.

    Raises
    ------
    ModelFileError
        If the text is not JSON or breaks a rule.

    Examples
    --------
    >>> parse('{"a": [1, 2.5]}', "example", max_containers=10)
    {'a': [1, 2.5]}
    """
    count = text.count("[") + text.count("{")
    if count > max_containers:
        raise ModelFileError(f"the {what} has {count} lists and objects; at most {max_containers} are allowed")
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_small_int,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ModelFileError(f"the {what} is nested too deeply") from None
    except ValueError as error:
        raise ModelFileError(f"the {what} is not proper JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} appears twice in one object")
    return result


def _small_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits; at most {MAX_DIGITS} are allowed")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:40]} is too large for a float")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
