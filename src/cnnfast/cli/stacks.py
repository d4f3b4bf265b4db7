"""TIFFs of several pages: the first one is read, and the end of a run says of how many files that is so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from cnnfast.cli.inputs import Item
from cnnfast.images.pictures.tiff_pages import has_more_pages
from cnnfast.network.stream import Opened

SUFFIXES = (".tif", ".tiff")


class Stacks:
    """Counts the files that hold more than is read of them."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def counted(self, item: Item, opened: Opened | None) -> Opened | None:
        """Return the open file of an item as it is, and count it when it is read; called by several threads."""
        if opened is None or not item.name.lower().endswith(SUFFIXES):
            return opened
        return self._looked_at(item.name, opened)

    @contextmanager
    def _looked_at(self, name: str, opened: Opened) -> Iterator[IO[bytes]]:
        with opened as file:
            if has_more_pages(file):
                self._names.add(name)
            yield file

    def lines(self) -> list[str]:
        """Return what to tell at the end."""
        if not self._names:
            return []
        return [f"TIFFs of several pages, of which only the first was read: {len(self._names):,}"]
