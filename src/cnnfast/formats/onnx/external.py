"""Weights of an ONNX file that are in other files next to it; nothing else is ever opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import TensorProto

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.unread import LFS, lfs_advice

EXTERNAL = TensorProto.EXTERNAL


@frozen
class ExternalFiles:
    """Where the other files of a model may be: the folder of its name, and that of the file that the name links to.

    The cache of the Hugging Face hub keeps names as links into a folder of contents, ``../../blobs/<hash>``; the
    weights are there too, under their own link next to the model's.

    Attributes
    ----------
    folders : tuple of Path
        Resolved.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, model: Path) -> ExternalFiles:
        """Return the folders for a model."""
        return cls(tuple(dict.fromkeys((model.parent.resolve(), model.resolve().parent))))

    def file(self, location: str) -> Path:
        """Return the file of a name.

        Raises
        ------
        ModelFileError
            If it would be elsewhere, by its name or by a link; or if it is missing or not a file.
        """
        if not _is_plain(location):
            raise ModelFileError(_elsewhere(location))
        try:
            found = [path for folder in self.folders if (path := (folder / location).resolve()).exists()]
            if not found:
                raise ModelFileError(f"is in {location!r}, which is missing; it must be in the folder of the model")
            if not any(found[0].is_relative_to(folder) for folder in self.folders):
                raise ModelFileError(_elsewhere(location))
            if not found[0].is_file():
                raise ModelFileError(f"is in {location!r}, which is not a file")
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, ModelFileError):
                raise
            # a loop of links, a name with a zero byte, a name that is too long
            raise ModelFileError(f"is in {location!r:.200}, which cannot be looked at: {error}") from error
        _check_content(found[0], location)
        return found[0]


def external_bytes(tensors: Iterable[TensorProto], external: ExternalFiles | None) -> int:
    """Return the size of all other files that hold tensors of a model, each counted once."""
    stated = {e.value for t in tensors for e in t.external_data if e.key == "location" and t.data_location == EXTERNAL}
    total = 0
    if external is None:
        return total
    for location in stated:
        try:
            total += external.file(location).stat().st_size
        except (ModelFileError, OSError):
            # said where the tensor is read
            continue
    return total


def _is_plain(location: str) -> bool:
    """Return whether a name leads downwards only, on every system."""
    names = (PurePosixPath(location), PureWindowsPath(location))
    return bool(location) and not any(name.anchor or ".." in name.parts for name in names)


def _elsewhere(location: str) -> str:
    return f"is in the file {location!r:.200}; external data must be in the folder of the model"


def _check_content(path: Path, location: str) -> None:
    with path.open("rb") as file:
        if file.read(len(LFS)) == LFS:
            raise ModelFileError(f"is in {location!r}, which is {lfs_advice()}")
