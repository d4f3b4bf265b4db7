"""Where features are kept between runs: one file for each folder of pictures and kind of features."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.digest import read_sealed, write_sealed
from cnnfast.ops import Array
from cnnfast.runtime.outputs import remove_unfinished

ENTRIES, FEATURES, LOOKS = "entries", "features", "looks"
A_DAY = 86_400.0

Seen = tuple[Array, Array]
"""Of one picture: its features, float32 (F,), and how it looks, uint8."""


@frozen
class FileState:
    """What tells whether a file is still the one that was read: its name, size, and time of the last change."""

    name: str
    size: int
    time: int

    @classmethod
    def of(cls, path: Path) -> FileState | None:
        """Return the state of a file; None where there is none to read."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(path.name, status.st_size, status.st_mtime_ns)


class FolderStore:
    """The features of the pictures of one folder.

    Parameters
    ----------
    cache : Path
    kind : str
        Digest of what the features depend on besides the pictures.
    folder : str
        Where the pictures are, without links.
    """

    def __init__(self, cache: Path, kind: str, folder: str) -> None:
        place = hashlib.sha256(os.fsencode(folder)).hexdigest()
        self._file = cache / f"{kind[:32]}-{place[:32]}.safetensors"
        self._known = self._read()

    def find(self, state: FileState) -> Seen | None:
        """Return what is known about a file in this state."""
        return self._known.get(state)

    def add(self, new: Mapping[FileState, Seen]) -> None:
        """Keep more, and forget other states of the same files; a full disk is a warning."""
        names = {state.name for state in new}
        self._known = {state: seen for state, seen in self._known.items() if state.name not in names} | dict(new)
        entries = json.dumps([[state.name, state.size, state.time] for state in self._known]).encode()
        arrays = {
            ENTRIES: np.frombuffer(entries, np.uint8),
            FEATURES: np.stack([features for features, _ in self._known.values()]),
            LOOKS: np.stack([looks for _, looks in self._known.values()]),
        }
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self._file.parent, A_DAY)
            write_sealed(self._file, {}, arrays)
        except OSError as error:
            warnings.warn(f"computed features could not be saved for the next run: {error}", stacklevel=2)

    def _read(self) -> dict[FileState, Seen]:
        try:
            _, arrays = read_sealed(self._file)
            entries = json.loads(arrays[ENTRIES].tobytes())
            states = [FileState(str(name), int(size), int(time)) for name, size, time in entries]
            return dict(zip(states, zip(arrays[FEATURES], arrays[LOOKS], strict=True), strict=True))
        except (OSError, ModelFileError, KeyError, ValueError):
            # none yet, or damaged: it is computed again
            return {}
