"""Small PNG files are read without Pillow: with its pixels, and only where nothing is odd."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cnnfast import PictureError, read_picture, set_max_pixels
from cnnfast.images.pictures import decode
from cnnfast.images.pictures.small_png import read_small_png
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.dispatch import kernels

RNG = np.random.default_rng(19)
RULES = {name: Preprocess(size=(6, 7), channels=name) for name in ("rgb", "bgr", "gray")}
RGB = RULES["rgb"]


def noise(channels: int = 3) -> np.ndarray:
    """Return pixels of which many differ little from their neighbors, and some wrap around."""
    steps = RNG.integers(-9, 10, (6, 7, channels)).cumsum(axis=1) + RNG.integers(0, 256, (6, 1, channels))
    return steps.astype(np.uint8)


def guess(kind: int, left: int, above: int, corner: int) -> int:
    """Return what a filter subtracts, as section 9 of the specification words it."""
    estimate = left + above - corner
    nearest = min((abs(estimate - value), order, value) for order, value in enumerate((left, above, corner)))[2]
    return (0, left, above, (left + above) // 2, nearest)[kind]


def filtered(pixels: np.ndarray, kinds: list[int]) -> bytes:
    """Return the rows of a PNG, byte by byte."""
    step, rows = pixels.shape[2], pixels.reshape(len(pixels), -1).astype(int)
    out = bytearray()
    for y, kind in enumerate(kinds):
        out.append(kind)
        for x, value in enumerate(rows[y]):
            left = rows[y, x - step] if x >= step else 0
            above = rows[y - 1, x] if y else 0
            corner = rows[y - 1, x - step] if y and x >= step else 0
            out.append((value - guess(kind, left, above, corner)) % 256)
    return bytes(out)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def written(
    pixels: np.ndarray,
    kinds: list[int] | None = None,
    before: bytes = b"",
    rows: bytes | None = None,
    end: bytes = chunk(b"IEND", b""),
    parts: int = 1,
    flags: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """Return a PNG file."""
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], *flags)
    data = zlib.compress(filtered(pixels, kinds or [4] * height) if rows is None else rows)
    cuts = [len(data) * i // max(parts, 1) for i in range(parts + 1)]
    pieces = b"".join(chunk(b"IDAT", data[a:b]) for a, b in pairwise(cuts))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + pieces + end


def fast(content: bytes, rule: Preprocess = RGB) -> np.ndarray | None:
    file = BytesIO(content)
    found = read_small_png(file, rule)
    assert found is not None or file.tell() == 0
    return found


def slow(content: bytes, rule: Preprocess, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what Pillow makes of a file."""
    with monkeypatch.context() as patch:
        patch.setattr(decode, "read_small_png", lambda *_: None)
        return outcome(content, rule)


def outcome(content: bytes, rule: Preprocess) -> Any:
    try:
        return read_picture(content, rule).tolist()
    except PictureError as error:
        return str(error)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kinds", [[kind] * 6 for kind in range(5)] + [[4, 3, 2, 1, 0, 3], [2, 4, 3, 1, 4, 2]])
def test_every_filter_gives_the_pixels_back(name: str, kinds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(1 if name == "gray" else 3)
    content = written(pixels, kinds)
    found = fast(content, RULES[name])
    assert found is not None
    assert found.flags.c_contiguous
    assert np.array_equal(found, pixels[..., ::-1] if name == "bgr" else pixels)
    assert slow(content, RULES[name], monkeypatch) == found.tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (32, 32), (224, 224)])
def test_files_that_pillow_writes(size: tuple[int, int]) -> None:
    pixels = np.linspace(0, 999, size[0] * size[1] * 3).astype(np.uint8).reshape(*size, 3)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert np.array_equal(fast(file.getvalue(), Preprocess(size=size)), pixels)


def test_several_parts_and_chunks_that_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise()
    extra = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"sRGB", b"\0") + chunk(b"pHYs", bytes(9))
    content = written(pixels, before=extra, parts=3) + b"and something behind it"
    assert np.array_equal(fast(content), pixels)
    assert slow(content, RGB, monkeypatch) == pixels.tolist()


def with_chunk(kind: bytes, data: bytes) -> bytes:
    return written(noise(), before=chunk(kind, data))


def other(mode: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(noise()).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 3
    return other("RGB", exif=exif)


def told(kind: str) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", kind)
    return other("RGB", pnginfo=text)


ODD = {
    "another size": written(noise()[:5]),
    "gray": written(noise(1)),
    "a palette": other("P"),
    "transparent": other("RGBA"),
    "a transparent color": with_chunk(b"tRNS", bytes(6)),
    "turned": turned(),
    "text": told("x"),
    "an unknown chunk": with_chunk(b"abCd", b"x"),
    "a chunk of another length": with_chunk(b"gAMA", b"123"),
    "interlaced": written(noise(), flags=(0, 0, 1)),
    "another compression": written(noise(), flags=(1, 0, 0)),
    "another set of filters": written(noise(), flags=(0, 1, 0)),
    "an unknown filter": written(noise(), rows=bytes([5, *bytes(21)]) * 6),
    "too few rows": written(noise(), rows=bytes(22) * 5),
    "too many rows": written(noise(), rows=bytes(22) * 7),
    "no pixels": written(noise(), parts=0),
    "an empty part": written(noise(), before=chunk(b"IDAT", b"")),
    "parts in two places": written(noise(), before=chunk(b"IDAT", b"x") + chunk(b"sRGB", b"\0")),
    "no end": written(noise(), end=b""),
    "an end with content": written(noise(), end=chunk(b"IEND", b"x")),
    "much between": with_chunk(b"abCd", bytes(5000)),
    "cut in the header": written(noise())[:30],
    "only a header": written(noise())[:33],
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_odd_is_left_to_pillow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast(ODD[name]) is None
    assert outcome(ODD[name], RGB) == slow(ODD[name], RGB, monkeypatch)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damage_is_read_that_pillow_would_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte of a file is changed, and each end is cut off."""
    content = written(noise(), [4, 3, 2, 1, 0, 4], before=chunk(b"sRGB", b"\0"), parts=2)
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << RNG.integers(8)
        for one in (bytes(damaged), content[:at]):
            found = fast(one)
            if found is not None:
                assert slow(one, RGB, monkeypatch) == found.tolist()
    assert fast(content) is not None


def test_the_limit_of_pixels_holds() -> None:
    set_max_pixels(41)
    try:
        assert fast(written(noise())) is None
        with pytest.raises(PictureError, match="has 7 x 6 pixels, more than 41"):
            read_picture(written(noise()), RGB)
    finally:
        set_max_pixels(None)


@pytest.mark.parametrize(("count", "pixel"), [(43, 3), (45, 3), (44, 0), (44, 22)])
def test_the_kernel_checks_sizes(count: int, pixel: int) -> None:
    with pytest.raises(ValueError, match="bytes are not 2 rows of 1 \\+ 21"):
        kernels.undo_png_filters(bytes(count), np.empty((2, 21), np.uint8), pixel)
