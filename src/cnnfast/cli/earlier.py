"""What an earlier run has done already, and which images are left: ``--resume``, also after a folder has grown."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence

from cnnfast._frozen import frozen
from cnnfast.cli.inputs import Inputs, Item
from cnnfast.cli.records import Row
from cnnfast.cli.rows_out import RowSink
from cnnfast.errors import ConfigError
from cnnfast.images.preprocess import Preprocess


@frozen(eq=False)
class Earlier:
    """The rows that exist.

    Attributes
    ----------
    rows : int
    first : int
        How many of them are of the first images, in order: all of them, unless images have been added or removed since.
    others : frozenset of str
        The names of the images of all other rows.
    present : int
        How many of the images that there are now have rows.
    """

    rows: int = 0
    first: int = 0
    others: frozenset[str] = frozenset()
    present: int = 0

    def lines(self) -> list[str]:
        """Return what to say about them."""
        gone = self.rows - self.present
        return [f"rows of pictures that are no longer there, which are kept: {gone:,}"] if gone > 0 else []


def read_back(out: RowSink, sources: Sequence[Inputs], count: Callable[[Row], None]) -> Earlier:
    """Count the rows of an earlier run, and find out which images they are of.

    Raises
    ------
    ConfigError
        If one is of a picture that is still there, but not among the paths.
    """
    names = _names(sources)
    rows = first = 0
    others: dict[str, int] = {}
    for row in out.earlier():
        rows += 1
        if not others and next(names, None) == row.picture:
            first += 1
        else:
            others[row.picture] = rows
        count(row)
    if not others:
        return Earlier(rows, first, frozenset(), first)
    found = {name for name in itertools.islice(_names(sources), first, None) if name in others}
    for name, number in others.items():
        if name not in found and os.path.lexists(name):
            raise ConfigError(
                f"{out.path}: cannot be resumed, because its row {number} is about {name}, which is not among the "
                "paths; name the same paths, or start over with --force"
            )
    return Earlier(rows, first, frozenset(others), first + len(found))


def remaining(sources: Sequence[Inputs], preprocess: Preprocess, earlier: Earlier) -> Iterator[Item]:
    """Yield the images that have no row yet."""
    first = earlier.first
    for source in sources:
        skip = min(first, len(source)) if first else 0
        first -= skip
        items = source.items(skip, preprocess)
        yield from (item for item in items if item.name not in earlier.others) if earlier.others else items


def _names(sources: Sequence[Inputs]) -> Iterator[str]:
    return itertools.chain.from_iterable(source.names() for source in sources)
