"""Images that are picture files, one each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.data.base import Piece, Positions
from cnnfast.errors import ConfigError, PictureError
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.preprocess import Preprocess


@frozen(eq=False)
class FileSource:
    """A source that decodes picture files; those that cannot be read are reported by name and skipped."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, size: int, preprocess: Preprocess | None) -> Iterator[Piece]:
        """Yield all pictures in order, ``size`` at a time."""
        if preprocess is None:
            raise ConfigError(
                "picture files differ in size; state with preprocess=Preprocess(size=(H, W)) what to fit them to"
            )
        with closing(read_pictures(self.paths, preprocess)) as pictures:
            for start in range(0, len(self.paths), size):
                yield _piece(start, list(itertools.islice(pictures, size)), preprocess)

    def part(self, positions: Positions) -> FileSource:
        """Return a source of some of the pictures; the others are not read."""
        return FileSource([self.paths[i] for i in positions.tolist()])


def _piece(start: int, outcomes: list[tuple[Path, object]], preprocess: Preprocess) -> Piece:
    good = [(start + i, path, picture) for i, (path, picture) in enumerate(outcomes) if isinstance(picture, np.ndarray)]
    images = np.empty((len(good), *preprocess.size, preprocess.channel_count), np.uint8)
    for target, (_, _, picture) in zip(images, good, strict=True):
        target[...] = picture
    failed = [picture for _, picture in outcomes if isinstance(picture, PictureError)]
    return Piece(images, np.array([i for i, _, _ in good], np.intp), [str(path) for _, path, _ in good], failed)
