"""Previews are used where they show what the photograph shows, and nowhere else."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.pictures.preview import LENGTH_TAG, OFFSET_TAG, preview_of
from cnnfast.images.pictures.turn import ORIENTATION_TAG
from cnnfast.images.preprocess import Preprocess

RULE = Preprocess(size=(32, 32))


def read_preview(path: Path, rule: Preprocess) -> np.ndarray | None:
    with path.open("rb") as file:
        return preview_of(file, rule)


def scene(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([255 * x / width, 255 * y / height, 0 * x + 60], axis=-1).astype(np.uint8))


def exif_with(preview: bytes, orientation: int = 1, length: int | None = None) -> bytes:
    """Write EXIF data by hand: IFD0 with the orientation, IFD1 with the place of the preview, the preview."""

    def entry(tag: int, kind: int, value: int) -> bytes:
        content = value.to_bytes(2, "little") + b"\0\0" if kind == 3 else value.to_bytes(4, "little")
        return tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + b"\1\0\0\0" + content

    second = 8 + 2 + 12 + 4
    place = second + 2 + 2 * 12 + 4
    first_ifd = b"\1\0" + entry(ORIENTATION_TAG, 3, orientation) + second.to_bytes(4, "little")
    entries = entry(OFFSET_TAG, 4, place) + entry(LENGTH_TAG, 4, len(preview) if length is None else length)
    return b"Exif\0\0II*\0\x08\0\0\0" + first_ifd + b"\2\0" + entries + b"\0\0\0\0" + preview


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **{"quality": 95, **options})
    return file.getvalue()


@pytest.fixture
def photograph(tmp_path):
    """Return a function that writes a black photograph with a preview of the scene, and returns its path."""

    def photograph(size=(800, 600), preview=(160, 120), **options: int):
        small = preview if isinstance(preview, bytes) else jpeg(scene(*preview))
        path = tmp_path / "photograph.jpg"
        path.write_bytes(jpeg(Image.new("RGB", size), exif=exif_with(small, **options)))
        return path

    return photograph


def test_the_preview_takes_the_place_of_the_photograph(photograph):
    path = photograph()
    found = read_preview(path, RULE)
    np.testing.assert_array_equal(found, read_picture(jpeg(scene(160, 120)), Preprocess(size=(32, 32), decode="full")))
    assert read_picture(path, RULE).max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_preview_is_turned_as_the_photograph(photograph, orientation):
    found = read_preview(photograph(orientation=orientation), RULE)
    stored = jpeg(scene(160, 120), exif=exif_with(b"", orientation=orientation))
    np.testing.assert_array_equal(found, read_picture(stored, Preprocess(size=(32, 32), decode="full")))


@pytest.mark.parametrize(
    ("size", "preview", "used"),
    [
        ((600, 400), (160, 107), True),
        ((600, 400), (160, 106), True),
        ((1600, 900), (160, 90), True),
        ((600, 400), (160, 120), False),
        ((800, 600), (160, 160), False),
        ((600, 800), (160, 120), False),
    ],
    ids=["3:2", "3:2 rounded down", "16:9", "black bars", "square", "on its side"],
)
def test_a_preview_of_other_proportions_is_refused(photograph, size, preview, used):
    assert (read_preview(photograph(size, preview), RULE) is not None) == used


@pytest.mark.parametrize(
    ("rule", "used"),
    [
        (Preprocess(size=(120, 160)), True),
        (Preprocess(size=(121, 160)), False),
        (Preprocess(size=(224, 160), resize="pad"), True),
        (Preprocess(size=(224, 161), resize="pad"), False),
        (Preprocess(size=(224, 224), resize="crop"), False),
    ],
)
def test_a_preview_is_never_enlarged(photograph, rule, used):
    found = read_preview(photograph(), rule)
    assert (found is not None) == used
    assert found is None or found.shape == (*rule.size, 3)


def test_a_preview_on_its_side_has_the_size_that_it_has_upright(photograph):
    path = photograph(orientation=6)
    assert read_preview(path, Preprocess(size=(160, 120))) is not None
    assert read_preview(path, Preprocess(size=(120, 160))) is None


def test_damaged_previews_and_photographs_without_one_are_left_alone(photograph, tmp_path):
    whole = jpeg(scene(160, 120))
    assert read_preview(photograph(preview=whole), RULE) is not None
    assert read_preview(photograph(preview=whole[:-100]), RULE) is None
    assert read_preview(photograph(preview=b"no JPEG"), RULE) is None
    assert read_preview(photograph(preview=b""), RULE) is None
    assert read_preview(photograph(preview=whole, length=20), RULE) is None
    png = BytesIO()
    scene(160, 120).save(png, "PNG")
    assert read_preview(photograph(preview=png.getvalue()), RULE) is None
    for name, content in (("plain.jpg", jpeg(scene(800, 600))), ("plain.png", png.getvalue()), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        assert read_preview(tmp_path / name, RULE) is None


def test_a_preview_that_claims_to_be_huge_is_refused(photograph):
    small = bytearray(jpeg(scene(160, 120)))
    frame = small.index(b"\xff\xc0")
    small[frame + 5 : frame + 9] = (30000).to_bytes(2, "big") + (40000).to_bytes(2, "big")
    assert read_preview(photograph(preview=bytes(small)), RULE) is None
