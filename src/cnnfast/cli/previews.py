"""``--thumbnails``: previews in place of photographs, counted, and the first ones compared with their photographs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from cnnfast.cli.inputs import Item
from cnnfast.errors import PictureError
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.pictures.preview import preview_of
from cnnfast.images.preprocess import Array, Preprocess
from cnnfast.network.network import Network
from cnnfast.network.stream import Answer, Opened

COMPARED = 100
"""How many pictures are decoded in addition, to see whether their previews show the same."""


class Previews:
    """Loads previews where there are any, and remembers for how many pictures that was so.

    Parameters
    ----------
    net : Network
    preprocess : Preprocess
    """

    def __init__(self, net: Network, preprocess: Preprocess) -> None:
        self._net, self._preprocess = net, preprocess
        self._loaded: set[str] = set()
        self._used = self._pictures = 0
        self._labels: dict[Path, int] = {}
        self._compared = self._agreeing = 0

    READ_AHEAD = 1 << 17
    """Bytes at the beginning of a file, among which a preview is."""

    def load(self, item: Item, opened: Opened | None) -> Answer:
        """Return what `Item.load` returns, of the preview if possible; called by several threads."""
        if opened is None:
            return item.load(self._preprocess)
        try:
            with opened as file:
                preview = preview_of(file, self._preprocess)
                if preview is None:
                    file.seek(0)
                    return item.load(self._preprocess, nullcontext(file))
        except PictureError as error:
            return error
        self._loaded.add(item.name)
        return preview

    def count(self, item: Item, probabilities: Array) -> str | None:
        """Count a picture that has a result; return what to tell once `COMPARED` previews were used."""
        self._pictures += 1
        if item.name not in self._loaded or not isinstance(item.picture, Path):
            return None
        self._loaded.discard(item.name)
        self._used += 1
        if self._used <= COMPARED:
            self._labels[item.picture] = int(probabilities.argmax())
        return self._comparison() if self._used == COMPARED else None

    def conclude(self) -> list[str]:
        """Return what to tell at the end."""
        used = f"previews in place of pictures: {self._used:,} of {self._pictures:,}"
        told = self._comparison() if 0 < self._used < COMPARED else None
        return [used] if told is None else [used, told]

    def _comparison(self) -> str:
        """Decode the pictures whose previews were used first, and return how many have the same label."""
        same = total = 0
        for path, picture in read_pictures(list(self._labels), self._preprocess):
            if not isinstance(picture, Exception):
                total += 1
                same += int(self._net.predict_proba(picture[None]).argmax()) == self._labels[path]
        self._labels.clear()
        return f"of the first {total:,} previews, {same:,} have the label that their pictures have without --thumbnails"
