"""An entry of the lists of what is not read."""

from __future__ import annotations

from collections.abc import Callable

from cnnfast._frozen import frozen


@frozen
class Kind:
    """A kind of file that cnnfast does not read.

    Attributes
    ----------
    name : str
        What it is, with its article.
    advice : str
        What to do, as the end of a sentence that ``name`` begins.
    sniff : callable (head) -> bool
        Whether a file is of this kind, judged by its first bytes.
    """

    name: str
    advice: str
    sniff: Callable[[bytes], bool]
