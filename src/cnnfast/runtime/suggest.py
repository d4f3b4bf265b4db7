"""Which known word was probably meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable

CUTOFF = 0.6
"""How alike words must be, from 0 to 1."""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another one, whatever its case, or None if none is.

    Examples
    --------
    >>> nearest("clasify", ["find", "classify"]), nearest("CAT", ["cat", "dog"]), nearest("xyz", ["cat"])
    ('classify', 'cat', None)
    """
    # imported where a mistake was made, and only there
    from difflib import get_close_matches

    by_case = {name.casefold(): name for name in reversed([*known])}
    near = get_close_matches(str(word)[:100].casefold(), by_case, 1, CUTOFF)
    return by_case[near[0]] if near else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the part of a message that suggests a word; "" if none is near.

    Examples
    --------
    >>> did_you_mean("catt", ["cat", "dog"])
    "; did you mean 'cat'?"
    """
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""
