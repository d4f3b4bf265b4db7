"""Pages of TIFFs, counted without decoding."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from cnnfast.images.pictures.tiff_pages import has_more_pages


def stack(pages: int, kind: int = 0, **options: object) -> bytes:
    """Return a TIFF whose pages after the first say that they are of a kind."""
    images = [Image.new("L", (5, 4), n) for n in range(pages)]
    for image in images[1:]:
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[254] = kind
        image.encoderinfo = {"tiffinfo": info}
    file = io.BytesIO()
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], **options)
    return file.getvalue()


def big(kinds: list[int], order: str) -> bytes:
    """Return the directories of a BigTIFF, one after the other, with nothing else."""
    content = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
    for number, kind in enumerate(kinds):
        following = 0 if number == len(kinds) - 1 else 16 + 36 * (number + 1)
        content += struct.pack(f"{order}QHHQI4xQ", 1, 254, 4, 1, kind, following)
    return content


@pytest.mark.parametrize(("pages", "kind", "expected"), [(1, 0, False), (2, 0, True), (5, 2, True), (3, 1, False)])
def test_pages_that_are_no_smaller_copies_count(pages: int, kind: int, expected: bool) -> None:
    file = io.BytesIO(stack(pages, kind))
    assert has_more_pages(file) is expected
    assert file.tell() == 0


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kinds", "expected"), [([0], False), ([0, 1, 1], False), ([0, 1, 0], True), ([1, 0], True)])
def test_big_ones_too(order: str, kinds: list[int], expected: bool) -> None:
    assert has_more_pages(io.BytesIO(big(kinds, order))) is expected


@given(content=st.binary(max_size=60), cut=st.integers(0, 200))
def test_what_is_damaged_has_none(content: bytes, cut: int) -> None:
    assert has_more_pages(io.BytesIO(b"II*\0" + content)) in (False, True)
    assert has_more_pages(io.BytesIO(stack(1)[:cut])) is False


def test_a_circle_of_directories_ends() -> None:
    content = struct.pack("<2sHIHHHIIIHHHIII", b"II", 42, 8, 1, 254, 4, 1, 1, 26, 1, 254, 4, 1, 1, 26)
    assert has_more_pages(io.BytesIO(content)) is False
