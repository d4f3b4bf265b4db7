"""Near duplicates by how pictures look."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cnnfast.images.looks import LOOK, groups, looks_of, pairs


def photo(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    soft = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)


def look(image: Image.Image) -> np.ndarray:
    return looks_of(np.asarray(image.convert("RGB"))[None])[0]


def saved_again(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def test_each_of_the_pixels_is_a_mean() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 32, 3)).astype(np.uint8)
    blocks = pixels.astype(float).mean(axis=3).reshape(2, LOOK, 3, LOOK, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(looks_of(pixels), np.rint(blocks.reshape(2, -1)), atol=1)


def test_another_size_quality_or_brightness_is_the_same_picture() -> None:
    original = photo(1)
    others = [
        saved_again(original, 40),
        original.resize((40, 33)),
        original.point(lambda v: 0.8 * v + 20),
        photo(2),
        photo(3),
    ]
    assert groups(np.stack([look(image) for image in (original, *others)])).tolist() == [0, 0, 0, 0, 4, 5]


def test_flat_pictures_are_like_no_other() -> None:
    looks = np.stack([look(Image.new("RGB", (9, 9), color)) for color in ("red", "red", "white")])
    assert groups(looks).tolist() == [0, 1, 2]


def test_pairs_are_all_pairs(monkeypatch) -> None:
    looks = np.random.default_rng(0).integers(0, 256, (60, 256)).astype(np.uint8)
    looks[40:50] = looks[:10]
    monkeypatch.setattr("cnnfast.images.looks.ROWS", 7)
    assert [(i, j) for i, j, _ in pairs(looks)] == [(i, 40 + i) for i in range(10)]
