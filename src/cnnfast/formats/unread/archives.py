"""Archives and compressed files, by what they hold; nothing is unpacked but a first few bytes."""

from __future__ import annotations

import bz2
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

HEAD = 4096
MAX_MEMBERS = 2000
MAX_LISTED = 8
MAX_DIRECTORY = 4 << 20
"""Bytes of the list at the end of a zip file that are looked at."""

MODELS = (
    *(".onnx", ".keras", ".h5", ".hdf5", ".tflite", ".safetensors", ".pth", ".pt", ".ckpt", ".json", ".pb", ".pkl"),
    *(".mlmodel", ".caffemodel", ".param", ".xml", ".bin", ".joblib", ".npz"),
)
"""How files are called that a user may mean; members are listed by their names, as no content is unpacked."""


def described(path: Path, head: bytes, inside: Callable[[bytes], str | None]) -> str | None:
    """Return what an archive or a compressed file is, and what to do; ``inside`` tells what the first bytes are."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if head[257:262] == b"ustar":
        return _tar(path)
    if head.startswith((b"7z\xbc\xaf\x27\x1c", b"Rar!")):
        return "an archive: unpack it and name the model in it"
    for start, name, unpack in COMPRESSED:
        if head.startswith(start) and (content := unpack(head)):
            held = inside(content)
            if content[257:262] == b"ustar":
                return f"a compressed archive ({name}): unpack it, `tar xf {path}`, and name the model in it"
            return f"compressed by {name}, and inside is {held}" if held else f"compressed by {name}: unpack it first"
    return None


def _bounded(make: Callable[[], object]) -> Callable[[bytes], bytes]:
    def unpack(head: bytes) -> bytes:
        try:
            return bytes(make().decompress(head, HEAD))  # type: ignore[attr-defined]
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            return b""

    return unpack


COMPRESSED: tuple[tuple[bytes | tuple[bytes, ...], str, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", "gzip", _bounded(lambda: zlib.decompressobj(31))),
    ((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), "zlib", _bounded(zlib.decompressobj)),
    (b"BZh", "bzip2", _bounded(bz2.BZ2Decompressor)),
    (b"\xfd7zXZ", "xz", _bounded(lambda: lzma.LZMADecompressor(memlimit=64 << 20))),
)
"""How compressed files begin, and what unpacks a few bytes of them."""


def _zip(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if (size := _directory_size(file.read, file.seek, path.stat().st_size)) > MAX_DIRECTORY:
                return f"a zip archive whose list of members takes {size} bytes: unpack it and name the model in it"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, LookupError):
        return "a zip archive, and a damaged one: get it again"
    return f"a zip archive{_holding(names)}: unpack it, `unzip {path}`, and name the model in it"


def _directory_size(read: Callable[[int], bytes], seek: Callable[[int], int], size: int) -> int:
    """Return how many bytes the list of members takes, as the record at the end of a zip file states it."""
    seek(max(size - 65_557, 0))
    end = read(65_557)
    at = end.rfind(b"PK\x05\x06")
    return int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0


def _tar(path: Path) -> str:
    names: list[str] = []
    try:
        with tarfile.open(path, "r:") as archive:
            while len(names) < MAX_MEMBERS and (member := archive.next()) is not None:
                names.append(member.name)
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return "a tar archive, and a damaged one: get it again"
    return f"a tar archive{_holding(names)}: unpack it, `tar xf {path}`, and name the model in it"


def _holding(names: Iterable[str]) -> str:
    names = list(names)
    likely = [name for name in names[:MAX_MEMBERS] if name.lower().endswith(MODELS)] or names
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f" that holds {', '.join(f'{name:.100}' for name in likely[:MAX_LISTED])}{more}" if names else " of nothing"
