"""What a group holds: a tree of tables of names, or one message for each name."""

from __future__ import annotations

from collections.abc import Iterator

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5.data import NOWHERE, Data, Once
from cnnfast.formats.hdf5.header import LINK, LINK_INFO, TABLE, Message

SOFT = 2
"""How a table marks a link that is a path."""

Links = dict[str, int | None]
"""Names and where the headers of the objects are; None stands for a link that is not an object of this file."""


def links(data: Data, found: list[Message]) -> Links | None:
    """Return what the object with these messages holds, or None if it is not a group."""
    if not any(message.kind in (TABLE, LINK, LINK_INFO) for message in found):
        return None
    result: Links = {}
    for message in found:
        if message.kind == TABLE:
            result.update(_in_tables(data, *data.numbers(message.at, 2)))
        elif message.kind == LINK_INFO:
            _check_link_info(data, message.at)
        elif message.kind == LINK:
            name, place = _link(data, message.at)
            result[name] = place
    return result


def _in_tables(data: Data, tree: int, heap: int) -> Iterator[tuple[str, int | None]]:
    data.expect(heap, b"HEAP", "a heap of names")
    size, names = data.number(heap + 8, 8), data.number(heap + 24, 8)
    data.take(names, size)
    for table in tables(data, tree, 0, 8):
        data.expect(table, b"SNOD", "a table of names")
        count = data.number(table + 6, 2)
        data.step(count)
        for index in range(count):
            entry = table + 8 + 40 * index
            offset, place = data.numbers(entry, 2)
            kind = data.number(entry + 16, 4)
            if offset >= size:
                raise ModelFileError(f"the name of an entry at byte {entry} of HDF5 is outside of its heap")
            yield data.text(names + offset), None if kind == SOFT else place


def tables(data: Data, root: int, kind: int, key: int) -> Iterator[int]:
    """Yield where the leaves of a tree lead to; ``key`` is the size of what is between them."""
    seen = Once("a tree")
    nodes = [root]
    while nodes:
        node = nodes.pop()
        seen.visit(node)
        data.expect(node, b"TREE", "a node of a tree")
        if data.number(node + 4, 1) != kind:
            raise ModelFileError(f"the tree at byte {node} of HDF5 is of the wrong kind")
        level, count = data.number(node + 5, 1), data.number(node + 6, 2)
        data.take(node + 24, count * (key + 8))
        data.step(count)
        children = [data.number(node + 24 + key + index * (key + 8), 8) for index in range(count)]
        if level:
            nodes += reversed(children)
        else:
            yield from (child if kind == 0 else node + 24 + i * (key + 8) for i, child in enumerate(children))


def _check_link_info(data: Data, at: int) -> None:
    flags = data.number(at + 1, 1)
    if data.number(at + 2 + (8 if flags & 1 else 0), 8) != NOWHERE:
        raise UnsupportedError(
            "a group of this HDF5 file is of a newer layout than Keras writes; load the model in Keras and save it "
            "again with model.save()"
        )


def _link(data: Data, at: int) -> tuple[str, int | None]:
    flags = data.number(at + 1, 1)
    at += 2
    kind = data.number(at, 1) if flags & 8 else 0
    at += bool(flags & 8) + 8 * bool(flags & 4) + bool(flags & 16)
    width = 1 << (flags & 3)
    length = data.number(at, width)
    name = data.take(at + width, length).tobytes().decode("utf-8", "replace")
    return name, data.number(at + width + length, 8) if kind == 0 else None
