"""HDF5 as h5py writes it, read by cnnfast's own reader: the same numbers and texts, and nothing that never ends."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="writing HDF5 needs h5py")

from fuzz.limits import limited  # noqa: E402

from cnnfast.errors import CnnfastError, ModelFileError, UnsupportedError  # noqa: E402
from cnnfast.formats.hdf5 import File  # noqa: E402
from cnnfast.formats.hdf5.data import Data  # noqa: E402
from cnnfast.formats.hdf5.header import messages  # noqa: E402


def written(fill: Callable[[Any], object], **options: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


RNG = np.random.default_rng(0)
NUMBERS = ["f2", "f4", "f8", ">f2", ">f4", ">f8", "i1", "u1", "i2", "<u4", ">i4", "i8", ">u8"]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5, 2), (2, 0, 3)])
def test_numbers_of_every_type(dtype: str, shape: tuple[int, ...]) -> None:
    values = RNG.integers(0, 100, shape).astype(dtype)
    file = File(written(lambda f: f.create_dataset("a/b/c", data=values)))
    np.testing.assert_array_equal(file.array("a/b/c"), values.astype(np.float32))
    assert file.array("a/b/c").dtype == np.float32


@pytest.mark.parametrize(
    "options",
    [
        dict(chunks=(4, 3)),
        dict(chunks=(4, 3), compression="gzip"),
        dict(chunks=(17, 11), compression="gzip", compression_opts=9, shuffle=True),
        dict(chunks=(3, 4), shuffle=True, fletcher32=True),
        dict(chunks=(1, 1), fletcher32=True),
        dict(compression="gzip"),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
def test_chunks_and_filters(options: dict[str, Any], dtype: str) -> None:
    values = (RNG.standard_normal((17, 11)) * 100).astype(dtype)
    file = File(written(lambda f: f.create_dataset("x", data=values, **options)))
    np.testing.assert_array_equal(file.array("x"), values.astype(np.float32))


def test_an_array_in_its_header() -> None:
    def fill(file: Any) -> None:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space, kind = h5py.h5s.create_simple((6,)), h5py.h5t.py_create(np.dtype("f4"))
        h5py.Dataset(h5py.h5d.create(file.id, b"x", kind, space, plist))[...] = np.arange(6)

    np.testing.assert_array_equal(File(written(fill)).array("x"), np.arange(6))


def test_bfloat16() -> None:
    def fill(file: Any) -> None:
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_ebias(127)
        data = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0x3F80, 0xC000, 0x3E80], "<u2"), mtype=kind)

    np.testing.assert_array_equal(File(written(fill)).array("x"), [1, -2, 0.25])


@pytest.mark.parametrize("count", [0, 1, 8, 9, 1000])
def test_groups_of_many_names(count: int) -> None:
    names = [f"layer_{i:04d}" for i in range(count)]

    def fill(file: Any) -> None:
        group = file.create_group("layers")
        for index, name in enumerate(names):
            group[name] = np.float32(index)

    file = File(written(fill))
    assert file.names("layers") == names
    assert [float(file.array(f"layers/{name}")) for name in names[::50]] == list(range(0, count, 50))


TEXTS = {
    "a text": "naïve " * 9,
    "a long text": "x" * 200_000,
    "an empty text": "",
    "bytes": b"bytes",
    "bytes of one length": np.array([b"kernel:0", b"bias:0"]),
    "texts": ["kernel", "bias", "ä"],
    "no texts": np.zeros(0),
    "an empty list": [],
}


@pytest.mark.parametrize("key", TEXTS)
def test_attributes_that_are_texts(key: str) -> None:
    value = TEXTS[key]
    file = File(written(lambda f: f.create_group("g").attrs.__setitem__(key, value)))
    items = [value] if isinstance(value, str | bytes) else list(value)
    wanted = [item.decode() if isinstance(item, bytes) else str(item) for item in items]
    assert file.texts("g", key) == wanted
    assert file.texts("g", "other") is None
    assert file.texts("nowhere", key) is None


def test_many_attributes_and_a_header_in_several_blocks() -> None:
    def fill(file: Any) -> None:
        for index in range(200):
            file.attrs[f"weight_names{index}"] = [f"w{index}".encode()] * 3

    file = File(written(fill))
    assert [file.texts("", f"weight_names{i}") for i in (0, 57, 199)] == [["w0"] * 3, ["w57"] * 3, ["w199"] * 3]


@pytest.mark.parametrize(
    ("fill", "rule"),
    [
        (lambda f: f.create_dataset("x", data=["text"]), "must hold numbers, but holds lists of any length|texts"),
        (lambda f: f.create_dataset("x", data=np.zeros(3, "f4,i4")), "must hold numbers, but holds compounds"),
        (lambda f: f.create_dataset("x", data=np.zeros(3, bool)), "must hold numbers, but holds enumerations"),
        (lambda f: f.create_dataset("x", data=np.zeros(3, "f16")), "must hold numbers, but holds floats with 15 bits"),
        (lambda f: f.create_dataset("x", data=h5py.Empty("f4")), "must hold numbers, but holds nothing"),
        (lambda f: f.create_dataset("x", (3,), "f4", external=[("o", 0, 12)]), "is in another file"),
        (lambda f: f.create_dataset("x", (3,), "f4"), "needs 12 bytes, but .* are stored"),
        (lambda f: f.create_dataset("x", (30, 3), "f4", chunks=(2, 2)), "0 elements in the file, but needs 90"),
        (lambda f: f.create_dataset("x", data=np.ones(9), chunks=(3,), compression="lzf"), "filter 32000"),
        (lambda f: f.create_group("x"), "there is no weight 'x'"),
        (lambda f: f.__setitem__("x", h5py.SoftLink("/y")), "soft or external link"),
        (lambda f: f.__setitem__("x", h5py.ExternalLink("o.h5", "y")), "soft or external link"),
    ],
)
def test_what_no_weight_is(fill: Callable[[Any], object], rule: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedError), match=rule):
        File(written(fill)).array("x")


@pytest.mark.parametrize("options", [dict(libver="latest"), dict(track_order=True)])
def test_newer_layouts_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"newer.* save it again with model\.save\(\)"):
        File(written(lambda f: f.create_dataset("x", data=np.ones(3)), **options)).array("x")


def whole() -> bytes:
    def fill(file: Any) -> None:
        file.attrs["config"] = "a text that is in a heap"
        for index in range(20):
            file[f"group/layer{index}/x"] = np.ones(5, np.float32)
        file.create_dataset("packed", data=np.arange(500.0), chunks=(50,), compression="gzip", shuffle=True)

    return written(fill)


def read_all(content: bytes) -> None:
    """Ask for everything there is, as a reader of Keras would."""
    file = File(content)
    file.texts("", "config")
    for name in file.names("group") or []:
        file.array(f"group/{name}/x")
    file.array("packed")


def test_changed_bytes_are_errors_in_bounded_time() -> None:
    content, rng = whole(), np.random.default_rng(1)
    read_all(content)
    words = [
        b"\0" * 8,
        b"\xff" * 8,
        b"TREE",
        b"SNOD",
        b"HEAP",
        b"GCOL",
        struct.pack("<Q", 96),
        struct.pack("<Q", 1 << 40),
    ]
    refused = 0
    for _ in range(3000):
        changed = bytearray(content)
        for _ in range(int(rng.integers(1, 5))):
            at = int(rng.integers(len(content)))
            if rng.random() < 0.5:
                changed[at] = int(rng.integers(256))
            else:
                word = words[int(rng.integers(len(words)))]
                changed[at // 8 * 8 : at // 8 * 8 + len(word)] = word
        try:
            with limited():
                read_all(bytes(changed[: len(content)]))
        except CnnfastError:
            refused += 1
    assert 300 < refused < 3000


@pytest.mark.parametrize("part", range(1, 10))
def test_a_file_that_ends_early(part: int) -> None:
    content = whole()
    with pytest.raises(ModelFileError, match="cut short; get it again"):
        read_all(content[: len(content) * part // 10])


def test_a_tree_that_leads_back_to_itself() -> None:
    content = bytearray(whole())
    node = content.find(b"TREE")
    content[node + 5] = 1
    content[node + 32 : node + 40] = struct.pack("<Q", node)
    with pytest.raises(ModelFileError, match="a tree leads back to byte"):
        File(bytes(content)).names("")


def test_headers_that_share_a_block_are_counted() -> None:
    """A file of 120 kB whose 1,000 objects lead to the same 10,000 messages is refused before it costs anything."""
    block = b"".join(struct.pack("<HHB3x", 0, 0, 0) for _ in range(10_000))
    header = struct.pack("<BxHIIxxxx", 1, 2, 1, 24) + struct.pack("<HHB3x", 0x10, 16, 0)
    headers = b"".join(header + struct.pack("<QQ", 40_000, len(block)) for _ in range(1000))
    data = Data(headers.ljust(40_000, b"\0") + block)
    with pytest.raises(ModelFileError, match=r"more than .* entries"):
        list(map(messages, [data] * 1000, range(0, 40_000, 40)))


def test_chunks_that_expand_are_refused() -> None:
    bomb = written(lambda f: f.create_dataset("x", data=np.zeros(1 << 22, "f4"), chunks=(1 << 22,), compression="gzip"))
    with pytest.raises(ModelFileError, match="at most 64 times as many"), limited():
        File(bomb).array("x")
