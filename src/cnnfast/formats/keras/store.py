"""HDF5 from a stranger: no links to other files, no array larger than its bytes, no error but `ModelFileError`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.ops import Array

if TYPE_CHECKING:
    import h5py

HARD = (OverflowError, MemoryError, SystemError)

EXPANSION = 64
"""How many times their size in the file arrays may take in memory: weights hardly compress, bombs do."""
FLOOR = 1 << 16
"""Bytes that may be read from any file, however small."""
MAX_TEXT = 64 << 20


@contextmanager
def hdf5_errors(what: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into `ModelFileError`."""
    try:
        yield
    except ModelFileError:
        raise
    # h5py passes on what the library reports, by whatever name comes closest
    except (
        OSError,
        RuntimeError,
        LookupError,
        ValueError,
        TypeError,
        OverflowError,
        MemoryError,
        SystemError,
    ) as error:
        raise ModelFileError(f"{what} cannot be read, the HDF5 file is damaged: {error}") from error


class Store:
    """Reads groups, texts and arrays of an open HDF5 file.

    Parameters
    ----------
    file : h5py.File
    size : int
        Bytes of the file; arrays take at most `EXPANSION` times as many.
    """

    def __init__(self, file: h5py.File, size: int) -> None:
        self._file = file
        self._left = FLOOR + EXPANSION * size

    def group(self, path: str) -> h5py.Group | None:
        """Return a group, or None where there is none."""
        import h5py

        with hdf5_errors(f"the group {path!r:.200}"):
            found = self._find(path)
            return found if isinstance(found, h5py.Group) else None

    def _find(self, path: str) -> object:
        """Follow a path through hard links only: the others lead out of the file, or in circles."""
        import h5py

        place: object = self._file
        for part in path.split("/"):
            if not isinstance(place, h5py.Group) or not part or part not in place:
                return None
            if not isinstance(place.get(part, getlink=True), h5py.HardLink):
                raise ModelFileError(f"{path!r:.200} holds a soft or external link, which no model needs")
            place = place[part]
        return place

    def array(self, path: str) -> Array:
        """Return an array as float32.

        Raises
        ------
        ModelFileError
            If it is not there, holds no numbers, lies in other files, or states more elements than it stores.
        """
        import h5py

        with hdf5_errors(f"the weight {path!r:.200}"):
            data = self._find(path)
            if not isinstance(data, h5py.Dataset):
                raise ModelFileError(f"there is no weight {path!r:.200}")
            self._check(path, data)
            array = np.asarray(data[()])
            with np.errstate(over="ignore", invalid="ignore"):
                return array.astype(np.float32)

    def _check(self, path: str, data: h5py.Dataset) -> None:
        if data.is_virtual or data.external:
            raise ModelFileError(f"the weight {path!r:.200} lies in another file")
        if data.shape is None or data.dtype.kind not in "fiu" or data.dtype.itemsize > 8:
            raise ModelFileError(f"the weight {path!r:.200} must hold numbers, but holds {data.dtype}")
        needed = math.prod(data.shape) * max(data.dtype.itemsize, 4)
        stored = data.id.get_storage_size()
        if needed > FLOOR + EXPANSION * stored or needed > self._left:
            raise ModelFileError(
                f"the weight {path!r:.200} of shape {data.shape} would take {needed} bytes, but has {stored} in the "
                f"file; at most {EXPANSION} times as many are allowed"
            )
        self._left -= needed

    def names(self, path: str) -> list[str]:
        """Return the names in a group."""
        group = self.group(path)
        with hdf5_errors(f"the group {path!r:.200}"):
            return [] if group is None else list(group)

    def text(self, path: str, key: str) -> str | None:
        """Return an attribute that is a text; the path of the file itself is empty."""
        value = self._attribute(path, key)
        if value is None:
            return None
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise ModelFileError(f"the attribute {key!r} must be a text of at most {MAX_TEXT} characters")
        return value

    def texts(self, path: str, key: str) -> list[str]:
        """Return an attribute that is a list of texts, which Keras cuts into key0, key1, … where it is long."""
        parts = [self._attribute(path, key)]
        if parts[0] is None:
            parts = []
            while (part := self._attribute(path, f"{key}{len(parts)}")) is not None:
                parts.append(part)
        result = []
        for part in parts:
            for value in np.ravel(np.asarray(part, dtype=object)).tolist():
                result.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
        return result

    def _attribute(self, path: str, key: str) -> object:
        import h5py

        place = self._file if not path else self.group(path)
        with hdf5_errors(f"the attribute {key!r}"):
            if place is None or key not in place.attrs:
                return None
            stored = h5py.h5a.open(place.id, key.encode()).get_storage_size()
            if stored > MAX_TEXT:
                raise ModelFileError(f"the attribute {key!r} has {stored} bytes; at most {MAX_TEXT} are allowed")
            value: object = place.attrs[key]
            return value
