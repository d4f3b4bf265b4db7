"""TIFFs of microscopes and scanners: planes, 12 and 16 bits, white as zero, both orders of bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cnnfast.errors import PictureError
from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.pictures.loaded import fit_pillow_image
from cnnfast.images.preprocess import Preprocess

AS_IS = Preprocess(size=(6, 8))
COLORS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = COLORS[..., 0].astype(int)
RGB, BLACK_IS_ZERO, WHITE_IS_ZERO = 2, 1, 0
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
DEFLATE, SEPARATE = 8, 2


def tiff(
    planes: list[bytes],
    bits: int,
    photometric: int = BLACK_IS_ZERO,
    order: str = "<",
    compressed: bool = False,
    kind: int = UNSIGNED,
    extra: int | None = None,
) -> bytes:
    """Return a TIFF of 8 x 6 pixels, each of its planes in a strip."""
    stored = [zlib.compress(plane) if compressed else plane for plane in planes]
    count = len(planes)
    entries: dict[int, tuple[str, list[int]]] = {
        256: ("I", [8]), 257: ("I", [6]), 258: ("H", [bits] * count), 259: ("H", [DEFLATE if compressed else 1]),
        262: ("H", [photometric]), 273: ("I", []), 277: ("H", [count]), 278: ("I", [6]),
        279: ("I", [len(strip) for strip in stored]), 339: ("H", [kind] * count),
    }  # fmt: skip
    if count > 1:
        entries[284] = ("H", [SEPARATE])
    if extra is not None:
        entries[338] = ("H", [extra])
    values_at = 8 + 2 + 12 * len(entries) + 4
    strips_at = values_at + 12 * 4 * count
    starts = np.cumsum([strips_at, *(len(strip) for strip in stored[:-1])]).tolist()
    entries[273] = ("I", starts)
    table, values = struct.pack(order + "H", len(entries)), b""
    for tag, (letter, numbers) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        table += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[letter], len(numbers))
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", values_at + len(values))
            values += data
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(order + "I", 8) + table + bytes(4) + values
    return head.ljust(strips_at, b"\0") + b"".join(stored)


def bytes_of(values: np.ndarray, order: str, dtype: str = "u2") -> bytes:
    return values.astype(order + dtype).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
def test_planes_of_16_bits_are_those_of_the_colors(order, compressed):
    low = np.random.default_rng(1).integers(0, 256, COLORS.shape)
    planes = [bytes_of(plane, order) for plane in np.moveaxis(COLORS.astype(int) * 256 + low, -1, 0)]
    content = tiff(planes, 16, RGB, order, compressed)
    np.testing.assert_array_equal(read_picture(content, AS_IS), COLORS)
    np.testing.assert_array_equal(fit_pillow_image(Image.open(io.BytesIO(content)), AS_IS), COLORS)
    # opaque
    content = tiff([*planes, bytes_of(np.full((6, 8), 65535), order)], 16, RGB, order, compressed, extra=2)
    np.testing.assert_array_equal(read_picture(content, AS_IS), COLORS)


def test_planes_that_pillow_cannot_read_are_refused():
    planes = [bytes_of(GRAY * 257, "<")] * 4
    with pytest.raises(PictureError, match="cannot read planes of 16 bits in mode CMYK; compress the file"):
        read_picture(tiff(planes, 16, photometric=5), AS_IS)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("photometric", "expected"), [(BLACK_IS_ZERO, GRAY), (WHITE_IS_ZERO, 255 - GRAY)])
def test_gray_of_16_bits_may_be_white_at_zero(photometric, expected, compressed):
    content = tiff([bytes_of(GRAY * 257, "<")], 16, photometric, compressed=compressed)
    np.testing.assert_array_equal(read_picture(content, AS_IS)[..., 1], expected)
    loaded = Image.open(io.BytesIO(content))
    loaded.load()
    np.testing.assert_array_equal(fit_pillow_image(loaded, AS_IS)[..., 1], expected)


def test_gray_of_floats_may_be_white_at_zero():
    content = tiff([bytes_of(GRAY / 255, "<", "f4")], 32, WHITE_IS_ZERO, kind=FLOAT)
    np.testing.assert_array_equal(read_picture(content, AS_IS)[..., 0], 255 - GRAY)


def test_white_of_12_bits_is_4095():
    values = (GRAY * 16 + 5).ravel()
    bits = "".join(f"{value:012b}" for value in values)
    content = tiff([int(bits, 2).to_bytes(len(bits) // 8, "big")], 12)
    np.testing.assert_array_equal(read_picture(content, AS_IS)[..., 0], GRAY)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("dtype", "kind", "factor"), [("i2", SIGNED, 1), ("i2", SIGNED, 100), ("i4", SIGNED, 257), ("f4", FLOAT, 1 / 255)]
)
def test_numbers_are_those_of_the_file_in_any_order_of_bytes(order, compressed, dtype, kind, factor):
    values = (GRAY % 128) * factor if factor != 1 / 255 else GRAY * factor
    content = tiff([bytes_of(values, order, dtype)], int(dtype[1]) * 8, BLACK_IS_ZERO, order, compressed, kind)
    scale = 65535 if factor > 1 else 255
    expected = values.astype(int) >> 8 if scale == 65535 else np.rint(values * (255 if kind == FLOAT else 1))
    np.testing.assert_array_equal(read_picture(content, AS_IS)[..., 0], expected)
