"""Both containers of ``torch.save``: the zip archive of 2020 and later, and the stream of pickles before it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.calls import storage_of
from cnnfast.formats.pickles.inert import Storage
from cnnfast.formats.pickles.machine import Machine
from cnnfast.formats.pickles.opcodes import STEPS
from cnnfast.formats.pickles.storages import Members, Storages, Stream
from cnnfast.formats.tensors import bytes_of
from cnnfast.ops import Array

ZIP = b"PK\x03\x04"
MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""The number that the older container begins with, pickled."""
NUMBER = 0x1950A86A20F9469CFC6C
MAX_MEMBERS = 20_000
DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeDecodeError, EOFError, RuntimeError)
"""What the module zipfile raises for what is not an archive."""


@frozen
class Saved:
    """What ``torch.save`` wrote.

    Attributes
    ----------
    content : object
        Dictionaries, lists, tuples, numbers, texts, `Stored` tensors; a `Record` for all else.
    storages : Storages
    """

    content: Any
    storages: Storages


@contextmanager
def opened(path: Path) -> Iterator[Saved]:
    """Read the pickle of a file; tensors may be read from it inside.

    Raises
    ------
    ModelFileError
        If it is damaged, or a container of something else.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP)) == ZIP
    if not is_zip:
        yield _stream(bytes_of(path, least=len(MAGIC)))
        return
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise ModelFileError(f"the zip archive is damaged ({error}); get it again") from None
    with archive:
        yield _archive(archive, path.stat().st_size)


def _archive(archive: zipfile.ZipFile, size: int) -> Saved:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ModelFileError(f"the zip archive has {len(members)} members; at most {MAX_MEMBERS} are allowed")
    packed = [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED or m.file_size > m.compress_size]
    if packed:
        raise ModelFileError(f"{packed[0]!r} is compressed, which torch.save never does; it may unpack to any size")
    if sum(member.file_size for member in members) > size:
        raise ModelFileError("its members together are larger than the file, so they overlap; get it again")
    names = [member.filename for member in members]
    pickles = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ModelFileError(f"its archive has {len(pickles)} members called data.pkl; torch.save writes one")
    folder = pickles[0].removesuffix("data.pkl")
    try:
        pickle = archive.read(pickles[0])
        order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in names else b"little"
    except DAMAGE as error:
        raise ModelFileError(f"{pickles[0]!r} in its archive is damaged ({error}); get it again") from None
    content = Machine(memoryview(pickle), 0, storage_of).run(STEPS)
    return Saved(content, Members(archive, folder, order == b"big"))


def _stream(data: Array) -> Saved:
    buffer = data.data
    seen: dict[str, Storage] = {}

    def meet(identity: Any) -> object:
        # of a part of a storage the whole is what is in the file
        whole = storage_of(identity[:5] if isinstance(identity, tuple) else identity)
        if isinstance(whole, Storage):
            seen.setdefault(whole.key, whole)
        return storage_of(identity)

    at, parts = 0, []
    for _ in range(5):
        machine = Machine(buffer, at, meet)
        parts.append(machine.run(STEPS))
        at = machine.at
    number, _, system, content, keys = parts
    if number != NUMBER or not isinstance(system, dict) or not isinstance(keys, list):
        raise ModelFileError("it begins like a file of torch.save, but is not one; get it again")
    big_endian = system.get("little_endian") is False
    return Saved(content, Stream(_rows(data, at, keys, seen, big_endian), big_endian))


def _rows(data: Array, at: int, keys: list[Any], seen: dict[str, Storage], big_endian: bool) -> dict[str, Array]:
    """Return the bytes of each storage: they follow in the order of their keys, each after its number of elements."""
    rows: dict[str, Array] = {}
    for key in keys:
        storage = seen.get(key) if isinstance(key, str) else None
        if storage is None or storage.dtype is None:
            kind = "unknown" if storage is None else storage.kind
            raise ModelFileError(f"its storage {key!r:.80} is of a kind that is not read ({kind:.80})")
        count = int.from_bytes(data[at : at + 8].tobytes(), "big" if big_endian else "little")
        end = at + 8 + storage.count * storage.dtype.itemsize
        if count != storage.count or end > len(data):
            raise ModelFileError(
                f"truncated or damaged: the storage {key!r:.80} at byte {at} should have {storage.count} elements"
            )
        rows[key] = data[at + 8 : end]
        at = end
    return rows
