"""Attributes of objects: a few numbers or texts each; long texts are stored in heaps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5.data import Data, Once
from cnnfast.formats.hdf5.header import ATTRIBUTE, ATTRIBUTE_INFO, Message
from cnnfast.formats.hdf5.types import read_shape, read_type


class Hdf5Attributes:
    """Reads attributes of the objects of a file."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def texts(self, found: list[Message], key: str) -> list[str] | None:
        """Return an attribute that holds texts, or None if there is none of that name.

        Raises
        ------
        ModelFileError
            If it holds anything else.
        """
        for message in found:
            if message.kind == ATTRIBUTE_INFO:
                raise UnsupportedError("an object of this HDF5 file has its attributes in a newer layout")
            if message.kind == ATTRIBUTE and self._name(message)[0] == key:
                return list(self._texts(message, key))
        return None

    def _name(self, message: Message) -> tuple[str, list[int]]:
        """Return the name, and where type, shape and elements are."""
        data, at = self._data, message.at
        version = data.number(at, 1)
        if version not in (1, 2, 3) or (version > 1 and data.number(at + 1, 1)) or message.is_shared:
            raise UnsupportedError(f"an attribute at byte {at} of HDF5 is of a kind that Keras never writes")
        sizes = data.numbers(at + 2, 3, size=2)
        pads = [-size % 8 if version == 1 else 0 for size in sizes]
        places = [at + 8 + (version == 3)]
        for size, pad in zip(sizes, pads, strict=True):
            places.append(places[-1] + size + pad)
        name = data.take(places[0], sizes[0]).tobytes().rstrip(b"\0").decode("utf-8", "replace")
        return name, places[1:]

    def _texts(self, message: Message, key: str) -> Iterator[str]:
        _, (type_at, shape_at, at) = self._name(message)
        kind, shape = read_type(self._data, type_at), read_shape(self._data, shape_at)
        count = 0 if shape is None else math.prod(shape)
        if count == 0:
            return
        if not kind.is_text:
            raise ModelFileError(f"the attribute {key!r} must hold texts, but holds {kind.name}")
        if count * kind.size > message.size:
            raise ModelFileError(f"the attribute {key!r} states {count} texts, more than it has bytes")
        for index in range(count):
            yield self._text(at + index * kind.size, kind.size, kind.is_variable, key)

    def _text(self, at: int, size: int, is_variable: bool, key: str) -> str:
        if is_variable:
            length = self._data.number(at, 4)
            at, size = self._in_heap(self._data.number(at + 4, 8), self._data.number(at + 12, 4)) if length else (at, 0)
            size = min(length, size)
            self._data.spend(size, f"the attribute {key!r}", size)
        return self._data.take(at, size).tobytes().rstrip(b"\0").decode("utf-8", "replace")

    def _in_heap(self, heap: int, index: int) -> tuple[int, int]:
        """Return where an object of a heap is, and its size."""
        if heap not in self._heaps:
            self._heaps[heap] = dict(self._objects(heap))
        if index not in self._heaps[heap]:
            raise ModelFileError(f"the heap at byte {heap} of HDF5 has no object {index}")
        return self._heaps[heap][index]

    def _objects(self, heap: int) -> Iterator[tuple[int, tuple[int, int]]]:
        data, seen = self._data, Once("a heap")
        data.expect(heap, b"GCOL", "a heap")
        end = heap + data.number(heap + 8, 8)
        data.take(heap, end - heap)
        at = heap + 16
        while at + 16 <= end and (index := data.number(at, 2)):
            seen.visit(at)
            data.step()
            size = data.number(at + 8, 8)
            data.take(at + 16, size)
            yield index, (at + 16, size)
            at += 16 + size + -size % 8
