"""The safetensors container, with the package of that name as a second opinion."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from formats.crafted import saved, small_model

from cnnfast.errors import ModelFileError
from cnnfast.formats.tensors import MAX_HEADER, pack, unpack

ARRAYS = {
    "b": np.arange(3, dtype=np.float32),
    "a": np.arange(6, dtype=np.float64).reshape(2, 3),
    "scalar": np.array(7, np.float32),
}


def raw_file(header: object, data: bytes = b"") -> np.ndarray[Any, np.dtype[np.uint8]]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return np.frombuffer(len(text).to_bytes(8, "little") + text + data, np.uint8)


def packed(arrays: dict[str, Any]) -> bytes:
    header, ordered = pack({"k": "v"}, arrays)
    return header + b"".join(array.tobytes() for array in ordered)


def test_round_trip() -> None:
    metadata, arrays = unpack(np.frombuffer(packed(ARRAYS), np.uint8))
    assert metadata == {"k": "v"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
        assert arrays[name].flags.aligned
        assert not arrays[name].flags.writeable


def test_order_of_the_arrays_does_not_matter() -> None:
    assert packed(ARRAYS) == packed(dict(reversed(ARRAYS.items())))


def test_the_package_reads_what_we_write(tmp_path: Path) -> None:
    saved(tmp_path / "m.safetensors")
    theirs = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    for name, array in small_model().graph.constants.items():
        np.testing.assert_array_equal(theirs[name], array, strict=True)


def test_we_read_what_the_package_writes() -> None:
    raw = safetensors.numpy.save(ARRAYS, {"one": "1", "two": "2"})
    metadata, arrays = unpack(np.frombuffer(raw, np.uint8))
    assert metadata == {"one": "1", "two": "2"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_tensors_that_the_file_does_not_align_are_copied() -> None:
    entry = {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}
    values = np.array([1.5, 2.5])
    for spaces in range(8):
        header = json.dumps({"x": entry}).encode() + b" " * spaces
        array = unpack(raw_file(header, values.tobytes()))[1]["x"]
        assert array.flags.aligned
        np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, ">f4", np.complex64])
def test_other_dtypes_are_not_written(dtype: Any) -> None:
    with pytest.raises(ModelFileError, match=r"tensor 'x' is .*float32, float64 and float16"):
        pack({}, {"x": np.zeros(2, dtype)})


def entry(**changes: object) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        (entry(dtype="BF16"), "dtype is 'BF16'"),
        (entry(dtype=[]), "dtype is"),
        (entry(shape=[2, 3]), r"takes 24 bytes, but its data_offsets \[0, 16\] enclose 16"),
        (entry(shape=[2, -2]), "positive integers"),
        (entry(shape=[0]), "positive integers"),
        (entry(shape=[2.0, 2]), "positive integers"),
        (entry(shape=[True, 4]), "positive integers"),
        (entry(shape="4"), "positive integers"),
        (entry(shape=[1] * 9), "at most 8"),
        (entry(shape=[1 << 62, 1 << 62]), "takes"),
        (entry(shape=[1 << 32, 1 << 32], data_offsets=[0, 1 << 62]), "takes"),
        (entry(shape=[1 << 40], data_offsets=[0, 1 << 42]), "truncated"),
        (entry(data_offsets=[16, 0]), "enclose -16"),
        (entry(data_offsets=[0]), "two integers"),
        (entry(data_offsets=None), "two integers"),
        (entry(data_offsets=[-16, 0]), "two integers"),
        (entry(data_offsets=[4, 20]), "begins at byte 4"),
        (entry(shape=[2], data_offsets=[0, 8]), "belong to no tensor"),
        (entry(extra=1), "exactly the keys"),
        ({"x": 3}, "exactly the keys"),
        ({"": entry()["x"]}, "printable"),
        ({"a\nb": entry()["x"]}, "printable"),
        ({"n" * 513: entry()["x"]}, "printable"),
        ({**entry(), "y": entry()["x"]}, "without gap or overlap"),
        ({"__metadata__": {"a": 1}, **entry()}, "__metadata__"),
        ({"__metadata__": [], **entry()}, "__metadata__"),
        ([1, 2], "JSON object"),
        (b"{}", "belong to no tensor"),
        (b'{"x": 1, "x": 2}', "'x' appears twice"),
        (b'{"\xc3\xa9": 1}', "ASCII"),
        (b"", "not proper JSON"),
    ],
)
def test_damage_is_named(header: object, rule: str) -> None:
    with pytest.raises(ModelFileError, match=rule):
        unpack(raw_file(header, bytes(16)))


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "has 0 bytes"),
        (b"1234567", "has 7 bytes"),
        ((1 << 63).to_bytes(8, "little"), "state a header of 9223372036854775808 bytes"),
        ((MAX_HEADER + 1).to_bytes(8, "little"), "at most"),
        ((100).to_bytes(8, "little") + b"{}", "truncated"),
    ],
)
def test_length_of_the_header_is_checked_first(raw: bytes, rule: str) -> None:
    with pytest.raises(ModelFileError, match=rule):
        unpack(np.frombuffer(raw, np.uint8))
