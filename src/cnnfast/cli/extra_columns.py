"""Columns besides the result: a score for each class, when and where a picture was taken, the time of a frame."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext

from cnnfast.cli.inputs import Item
from cnnfast.errors import PictureError
from cnnfast.images.pictures.exif_time import time_taken
from cnnfast.images.preprocess import Array, Preprocess
from cnnfast.network.records import shortest
from cnnfast.network.stream import Answer, Opened
from cnnfast.runtime.escapes import as_text

TIME, FOLDER, SECONDS, SCORE = "time", "folder", "seconds", "score_"


class ExtraColumns:
    """What ``--scores``, ``--exif`` and ``--every`` add to every row.

    Parameters
    ----------
    args : Namespace
    classes : sequence of str
    """

    def __init__(self, args: argparse.Namespace, classes: Sequence[str]) -> None:
        self._scores, self._exif, self._every = args.scores, args.exif, args.every
        self._times: dict[str, str | None] = {}
        self.names = (
            *((SECONDS,) if self._every is not None else ()),
            *((TIME, FOLDER) if self._exif else ()),
            *((f"{SCORE}{name}" for name in classes) if self._scores else ()),
        )

    @property
    def settings(self) -> dict[str, object]:
        """What the rows depend on."""
        stated = {"scores": self._scores or None, "exif": self._exif or None, "every": self._every}
        return {name: value for name, value in stated.items() if value is not None}

    def load(self, item: Item, preprocess: Preprocess, opened: Opened | None) -> Answer:
        """Return what `Item.load` returns, and remember when the picture was taken; called by several threads."""
        if not self._exif or opened is None:
            return item.load(preprocess, opened)
        try:
            with opened as file:
                self._times[item.name] = time_taken(file)
                return item.load(preprocess, nullcontext(file))
        except PictureError as error:
            return error

    def cells(self, item: Item, probabilities: Array) -> tuple[object, ...]:
        """Return the values of the columns for an image."""
        folder = item.below.parent.as_posix()
        taken = (self._times.pop(item.name, None), "" if folder == "." else as_text(folder)) if self._exif else ()
        seconds = () if self._every is None else (item.seconds,)
        return (*seconds, *taken, *(map(shortest, probabilities.tolist()) if self._scores else ()))
