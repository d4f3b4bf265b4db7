"""Data sets: in the header, in one piece, or in chunks that may be compressed."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5.data import NOWHERE, Data
from cnnfast.formats.hdf5.groups import tables
from cnnfast.formats.hdf5.header import EXTERNAL, FILTERS, LAYOUT, SPACE, TYPE, Message, only
from cnnfast.formats.hdf5.types import Type, as_numbers, read_shape, read_type
from cnnfast.ops import Array

COMPACT, CONTIGUOUS, CHUNKED = 0, 1, 2
DEFLATE, SHUFFLE, FLETCHER = 1, 2, 3
CHECKSUM = 4
"""Bytes behind a chunk."""


@frozen
class Chunk:
    """A stored part of an array: where it is, how large it is there, which filters it skips, where it belongs."""

    at: int
    size: int
    skipped: int
    offset: tuple[int, ...]


def read_array(data: Data, found: list[Message], what: str) -> Array:
    """Return a data set as float32.

    Raises
    ------
    ModelFileError
        If it is damaged, holds no numbers, is in other files, or states more elements than it stores.
    UnsupportedError
        If it is compressed in a way that Keras never uses.
    """
    if any(message.kind == EXTERNAL for message in found):
        raise ModelFileError(f"{what} is in another file")
    kind = read_type(data, only(found, TYPE, "a type").at)
    shape = read_shape(data, only(found, SPACE, "a shape").at)
    if shape is None or not kind.numbers:
        raise ModelFileError(f"{what} must hold numbers, but holds {'nothing' if shape is None else kind.name}")
    layout = only(found, LAYOUT, "where it is")
    version, way = data.number(layout.at, 1), data.number(layout.at + 1, 1)
    if version != 3 or way > CHUNKED:
        reason = "is in another file, or" if way == 3 else "is"
        raise ModelFileError(f"{what} {reason} stored in layout {version}, which is newer or older than Keras writes")
    needed = math.prod(shape) * kind.size
    if way == CHUNKED:
        return _from_chunks(data, found, layout.at, kind, shape, what)
    at, stored = _piece(data, layout.at, way)
    data.spend(max(needed, 4 * math.prod(shape)), f"{what} of shape {shape}", stored if at != NOWHERE else 0)
    if needed == 0:
        return np.zeros(shape, np.float32)
    if at == NOWHERE or stored < needed:
        raise ModelFileError(f"{what} of shape {shape} needs {needed} bytes, but {stored} are stored for it")
    return as_numbers(data.take(at, needed), kind, shape)


def _piece(data: Data, at: int, way: int) -> tuple[int, int]:
    if way == COMPACT:
        return at + 4, data.number(at + 2, 2)
    place, size = data.numbers(at + 2, 2)
    return place, size


def _from_chunks(data: Data, found: list[Message], at: int, kind: Type, shape: tuple[int, ...], what: str) -> Array:
    rank = data.number(at + 2, 1) - 1
    tree = data.number(at + 3, 8)
    *sides, size = data.numbers(at + 11, rank + 1, size=4)
    if rank != len(shape) or min(sides, default=1) < 1 or size != kind.size:
        raise ModelFileError(f"{what} of shape {shape} cannot be in chunks of {(*sides, size)}")
    chunks = [] if tree == NOWHERE else list(_chunks(data, tree, rank))
    stored = sum(chunk.size for chunk in chunks)
    data.spend(4 * math.prod(shape), f"{what} of shape {shape}", stored)
    filters = _filters(data, found, what)
    result, covered = np.zeros(shape, np.float32), 0
    room = math.prod(sides) * kind.size
    for chunk in chunks:
        if any(
            offset % side or offset >= length for offset, side, length in zip(chunk.offset, sides, shape, strict=True)
        ):
            raise ModelFileError(f"{what} of shape {shape} has a chunk at {chunk.offset}")
        data.spend(room, f"a chunk of {what}", chunk.size)
        values = as_numbers(_unpacked(data, chunk, filters, room, kind.size, what), kind, tuple(sides))
        place = tuple(slice(o, min(o + s, n)) for o, s, n in zip(chunk.offset, sides, shape, strict=True))
        part = values[tuple(slice(0, p.stop - p.start) for p in place)]
        result[place] = part
        covered += part.size
    if covered != result.size:
        raise ModelFileError(f"{what} of shape {shape} has {covered} elements in the file, but needs {result.size}")
    return result


def _chunks(data: Data, tree: int, rank: int) -> Iterator[Chunk]:
    key = 8 + 8 * (rank + 1)
    for entry in tables(data, tree, 1, key):
        size, skipped = data.numbers(entry, 2, size=4)
        offset = tuple(data.numbers(entry + 8, rank))
        yield Chunk(data.number(entry + key, 8), size, skipped, offset)


def _filters(data: Data, found: list[Message], what: str) -> list[int]:
    """Return the filters in the order in which they were applied."""
    message = next((message for message in found if message.kind == FILTERS), None)
    if message is None:
        return []
    version, count = data.number(message.at, 1), data.number(message.at + 1, 1)
    at = message.at + (8 if version == 1 else 2)
    filters = []
    for _ in range(count):
        number = data.number(at, 2)
        named = version == 1 or number >= 256
        length = data.number(at + 2, 2) if named else 0
        at += 4 if named else 2
        values = data.number(at + 2, 2)
        at += (
            4 + (length + -length % 8 if version == 1 else length) + 4 * (values + (values % 2 if version == 1 else 0))
        )
        if number not in (DEFLATE, SHUFFLE, FLETCHER):
            raise UnsupportedError(f"{what} is compressed by the filter {number} of HDF5; supported: gzip and shuffle")
        filters.append(number)
    return filters


def _unpacked(data: Data, chunk: Chunk, filters: list[int], room: int, size: int, what: str) -> memoryview:
    raw = data.take(chunk.at, chunk.size)
    for position in reversed(range(len(filters))):
        if chunk.skipped >> position & 1:
            continue
        match filters[position]:
            case 1:
                raw = memoryview(_inflated(raw, room + CHECKSUM, what))
            case 2:
                whole = len(raw) // size * size
                columns = np.frombuffer(raw[:whole], np.uint8).reshape(size, -1)
                raw = memoryview(np.ascontiguousarray(columns.T).tobytes() + raw[whole:].tobytes())
            case _:
                raw = raw[: max(len(raw) - CHECKSUM, 0)]
    if len(raw) < room:
        raise ModelFileError(f"a chunk of {what} has {len(raw)} bytes, but needs {room}")
    return raw


def _inflated(raw: memoryview, most: int, what: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, most)
    except zlib.error as error:
        raise ModelFileError(f"a chunk of {what} cannot be decompressed: {error}") from None
