"""A file of HDF5: paths lead to groups, arrays and attributes."""

from __future__ import annotations

import struct

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5.arrays import read_array
from cnnfast.formats.hdf5.attributes import Hdf5Attributes
from cnnfast.formats.hdf5.data import SIGNATURE, Data
from cnnfast.formats.hdf5.groups import Links, links
from cnnfast.formats.hdf5.header import LAYOUT, Message, messages
from cnnfast.ops import Array

MAX_DEPTH = 64
"""Parts of a path."""


class File:
    """An HDF5 file in memory.

    Parameters
    ----------
    content : bytes-like

    Raises
    ------
    ModelFileError
        If it is not an HDF5 file; later, if what is asked for is damaged.
    UnsupportedError
        If it is of a layout that Keras never writes.
    """

    def __init__(self, content: Array | bytes) -> None:
        self._data = Data(content)
        self._attributes = Hdf5Attributes(self._data)
        self._headers: dict[int, list[Message]] = {}
        self._links: dict[int, Links | None] = {}
        self._root = _root(self._data)

    def names(self, path: str) -> list[str] | None:
        """Return the names in a group, or None where there is no group."""
        place = self._find(path)
        found = None if place is None else self._links_of(place)
        return None if found is None else sorted(found)

    def array(self, path: str) -> Array:
        """Return an array as float32."""
        place = self._find(path)
        what = f"the weight {path!r:.200}"
        found = [] if place is None else self._messages(place)
        if not any(message.kind == LAYOUT for message in found):
            raise ModelFileError(f"there is no weight {path!r:.200}")
        return read_array(self._data, found, what)

    def texts(self, path: str, key: str) -> list[str] | None:
        """Return an attribute that holds texts; the path of the file itself is empty."""
        place = self._find(path)
        return None if place is None else self._attributes.texts(self._messages(place), key)

    def _find(self, path: str) -> int | None:
        """Follow a path through objects of this file only: other links lead out of it, or in circles."""
        place = self._root
        parts = path.split("/") if path else []
        if len(parts) > MAX_DEPTH:
            raise ModelFileError(f"{path!r:.200} has more than {MAX_DEPTH} parts")
        for part in parts:
            found = self._links_of(place)
            if found is None or part not in found:
                return None
            target = found[part]
            if target is None:
                raise ModelFileError(f"{path!r:.200} holds a soft or external link, which no model needs")
            place = target
        return place

    def _messages(self, place: int) -> list[Message]:
        if place not in self._headers:
            self._headers[place] = messages(self._data, place)
        return self._headers[place]

    def _links_of(self, place: int) -> Links | None:
        if place not in self._links:
            self._links[place] = links(self._data, self._messages(place))
        return self._links[place]


def _root(data: Data) -> int:
    """Return where the header of the first group is."""
    data.expect(0, SIGNATURE, "the signature")
    version = data.number(8, 1)
    if version > 1:
        raise UnsupportedError(
            f"this HDF5 file is of version {version}, newer than Keras writes (libver='latest'); load the model in "
            "Keras and save it again with model.save()"
        )
    offsets, lengths = data.number(13, 1), data.number(14, 1)
    if (offsets, lengths) != (8, 8):
        raise UnsupportedError(f"this HDF5 file has addresses of {offsets} bytes and lengths of {lengths}, not of 8")
    at = 24 + 4 * version
    base, _, end, _ = struct.unpack("<4Q", data.take(at, 32))
    if base != 0 or end > data.size:
        raise ModelFileError(
            f"this HDF5 file states {end} bytes from byte {base} on, but has {data.size}: its download or copy was cut "
            "short; get it again"
        )
    return data.number(at + 40, 8)
