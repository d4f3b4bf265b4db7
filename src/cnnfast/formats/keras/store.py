"""Groups, texts and arrays of a file of Keras."""

from __future__ import annotations

from cnnfast.errors import ModelFileError
from cnnfast.formats.hdf5 import File
from cnnfast.ops import Array

MAX_TEXT = 64 << 20
MAX_PARTS = 10_000


class Store:
    """Reads what Keras writes into HDF5.

    Parameters
    ----------
    content : bytes-like
    """

    def __init__(self, content: Array | bytes) -> None:
        self._file = File(content)

    def has_group(self, path: str) -> bool:
        """Return whether there is a group."""
        return self._file.names(path) is not None

    def names(self, path: str) -> list[str]:
        """Return the names in a group."""
        return self._file.names(path) or []

    def array(self, path: str) -> Array:
        """Return an array as float32.

        Raises
        ------
        ModelFileError
            If it is not there, holds no numbers, is in other files, or states more elements than it stores.
        """
        return self._file.array(path)

    def text(self, path: str, key: str) -> str | None:
        """Return an attribute that is a text; the path of the file itself is empty."""
        found = self._file.texts(path, key)
        if found is None:
            return None
        if len(found) != 1 or len(found[0]) > MAX_TEXT:
            raise ModelFileError(f"the attribute {key!r} must be a text of at most {MAX_TEXT} characters")
        return found[0]

    def texts(self, path: str, key: str) -> list[str]:
        """Return an attribute that is a list of texts, which Keras cuts into key0, key1, … where it is long."""
        whole = self._file.texts(path, key)
        if whole is not None:
            return whole
        parts: list[str] = []
        for index in range(MAX_PARTS):
            part = self._file.texts(path, f"{key}{index}")
            if part is None:
                break
            parts += part
        return parts
