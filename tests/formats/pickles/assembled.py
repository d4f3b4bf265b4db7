"""Files of `torch.save`, put together from instructions: no PyTorch is needed, and no object that could run."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cnnfast.ops import Array

STORAGES = {
    "f8": "DoubleStorage",
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
    "i2": "ShortStorage",
    "i1": "CharStorage",
    "u1": "ByteStorage",
    "b1": "BoolStorage",
}
NUMBER = 0x1950A86A20F9469CFC6C


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def sequence(*items: bytes) -> bytes:
    """Return a tuple."""
    return b"(" + b"".join(items) + b"t"


def integers(values: Iterable[int]) -> bytes:
    return sequence(*map(integer, values))


def mapping(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def call(name: str, *arguments: bytes) -> bytes:
    """Return the call of a function by its full name."""
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode() + sequence(*arguments) + b"R"


def storage(key: str, kind: str, count: int, *more: bytes) -> bytes:
    parts = (text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), integer(count))
    return sequence(*parts, *more) + b"Q"


def view(row: bytes, offset: int, shape: Iterable[int], strides: Iterable[int]) -> bytes:
    """Return a tensor that is a view of a storage."""
    hooks = call("collections.OrderedDict")
    arguments = (row, integer(offset), integers(shape), integers(strides), b"\x89", hooks)
    return call("torch._utils._rebuild_tensor_v2", *arguments)


def tensor(key: str, array: Array) -> bytes:
    """Return a tensor that is all of a storage."""
    row = storage(key, STORAGES[array.dtype.str[1:]], array.size)
    return view(row, 0, array.shape, [step // array.itemsize for step in array.strides])


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def archive(body: bytes, rows: Mapping[str, bytes], order: str | None = "little") -> bytes:
    """Return the container of 2020 and later."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        members = {"data.pkl": pickled(body), "version": b"3\n", **({"byteorder": order.encode()} if order else {})}
        for name, content in {**members, **{f"data/{key}": row for key, row in rows.items()}}.items():
            file.writestr(zipfile.ZipInfo(f"net/{name}"), content)
    return stream.getvalue()


def stream(body: bytes, rows: Mapping[str, tuple[int, bytes]], little: bool = True) -> bytes:
    """Return the container before it; a row is its number of elements, and its bytes."""
    system = mapping({"protocol_version": integer(1001), "little_endian": b"\x88" if little else b"\x89"})
    keys = b"](" + b"".join(map(text, rows)) + b"e"
    head = b"".join(map(pickled, (integer(NUMBER), integer(1001), system, body, keys)))
    order = "<q" if little else ">q"
    return head + b"".join(struct.pack(order, count) + row for count, row in rows.values())


def saved(state: Mapping[str, Array], is_zip: bool = True, **others: bytes) -> bytes:
    """Return a checkpoint: ``state_dict``, and the other entries."""
    tensors = mapping({name: tensor(str(i), array) for i, (name, array) in enumerate(state.items())})
    body = mapping({**others, "state_dict": tensors})
    if is_zip:
        return archive(body, {str(i): array.tobytes() for i, array in enumerate(state.values())})
    return stream(body, {str(i): (array.size, array.tobytes()) for i, array in enumerate(state.values())})


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def numbers(*shape: int) -> Array:
    return np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
