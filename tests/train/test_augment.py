"""Augmentations against loops over pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import AUGMENTATIONS, Brightness, Crop, Cutout, Flip, Rotate, Shear, Shift, Zoom
from cnnfast.train.affine_augment import Warp, resample
from cnnfast.train.augment import Views

N, H, W, C = 6, 9, 7, 3


def images(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 256, (N, H, W, C))
    return values.astype(np.uint8) if dtype == "uint8" else (values / 64 - 2).astype(np.float32)


def numbers(draws: int) -> np.ndarray:
    return np.random.default_rng(2).random((N, draws), np.float32)


def flipped(image: np.ndarray, draws: np.ndarray, _: Flip) -> np.ndarray:
    return np.array([row[::-1] for row in image]) if draws[0] < 0.5 else image


def reflected(place: int, size: int) -> int:
    place = abs(place)
    return 2 * (size - 1) - place if place >= size else place


def shifted(image: np.ndarray, draws: np.ndarray, shift: Shift) -> np.ndarray:
    down, right = (int(d * (2 * shift.max_shift + 1)) - shift.max_shift for d in draws)
    result = np.empty_like(image)
    for y in range(H):
        for x in range(W):
            result[y, x] = image[reflected(y - down, H), reflected(x - right, W)]
    return result


def lit(image: np.ndarray, draws: np.ndarray, brightness: Brightness) -> np.ndarray:
    result = image * (1 + brightness.max_change * (2 * float(draws[0]) - 1))
    if image.dtype != np.uint8:
        return result.astype(np.float32)
    return np.minimum(np.floor(result + 0.5), 255).astype(np.uint8)


def covered(image: np.ndarray, draws: np.ndarray, cutout: Cutout) -> np.ndarray:
    result = image.copy()
    top, left = (int(d * size) - cutout.side // 2 for d, size in zip(draws, (H, W), strict=True))
    for y in range(max(top, 0), min(top + cutout.side, H)):
        for x in range(max(left, 0), min(left + cutout.side, W)):
            result[y, x] = 128 if image.dtype == np.uint8 else 0
    return result


LOOPS: list[tuple[Any, Any]] = [
    (Flip(), flipped),
    (Shift(2), shifted),
    (Shift(6), shifted),
    (Brightness(0.7), lit),
    (Cutout(3), covered),
    (Cutout(4), covered),
    (Cutout(40), covered),
]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(("augmentation", "loop"), LOOPS, ids=lambda v: getattr(v, "__name__", repr(v)))
def test_against_loops(augmentation: Any, loop: Any, dtype: str) -> None:
    given, draws = images(dtype), numbers(augmentation.draws)
    before = given.copy()
    found = augmentation.apply(given, draws)
    wanted = np.stack([loop(image, row, augmentation) for image, row in zip(given, draws, strict=True)])
    assert found.dtype == given.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_array_equal(given, before)


def source_of(warp: Warp, draws: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """Return from where in the image a pixel of the view comes, both counted from the center."""
    signed = 2 * float(draws[0]) - 1
    if isinstance(warp, Rotate):
        angle = math.radians(warp.max_degrees * signed)
        return x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    if isinstance(warp, Zoom):
        return x * (1 + warp.max_change * signed), y * (1 + warp.max_change * signed)
    if isinstance(warp, Shear):
        return x + warp.max_shear * signed * y, y
    assert isinstance(warp, Crop)
    side = warp.min_side + (1 - warp.min_side) * float(draws[0])
    down, right = ((float(d) - 0.5) * (1 - side) * size for d, size in zip(draws[1:], (H, W), strict=True))
    return x * side + right, y * side + down


def between(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """Return the value at a place between four pixels, the border repeated without end."""
    y, x = min(max(y, 0.0), H - 1.0), min(max(x, 0.0), W - 1.0)
    top, left = int(y), int(x)
    down, right = y - top, x - left
    below, after = min(top + 1, H - 1), min(left + 1, W - 1)
    upper = (1 - right) * image[top, left] + right * image[top, after]
    return (1 - down) * upper + down * ((1 - right) * image[below, left] + right * image[below, after])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "warps",
    [[Rotate(40)], [Zoom(0.4)], [Shear(0.5)], [Crop(0.5)], [Shear(0.3), Zoom(0.3)], [Crop(0.6), Rotate(30), Shear()]],
    ids=repr,
)
def test_warps_against_loops(warps: list[Warp], dtype: str) -> None:
    given = images(dtype)
    draws = [np.random.default_rng(i).random((N, warp.draws)) for i, warp in enumerate(warps)]
    found = resample(given, warps, draws)
    wanted = np.empty((N, H, W, C))
    for n in range(N):
        for y in range(H):
            for x in range(W):
                place = (x - (W - 1) / 2, y - (H - 1) / 2)
                for warp, rows in reversed(list(zip(warps, draws, strict=True))):
                    place = source_of(warp, rows[n], *place)
                value = between(given[n].astype(float), place[1] + (H - 1) / 2, place[0] + (W - 1) / 2)
                wanted[n, y, x] = np.floor(value + 0.5) if dtype == "uint8" else value
    assert found.dtype == given.dtype
    # float32 places are off by a millionth of a pixel, which may move a byte that lies on an edge by one.
    np.testing.assert_allclose(found.astype(float), wanted, atol=1 if dtype == "uint8" else 1e-4)
    assert (found == wanted).mean() > 0.99 or dtype != "uint8"


def everything() -> list[Any]:
    return [kind() for kind in AUGMENTATIONS.values()]


def test_a_view_depends_on_its_image_alone() -> None:
    """Not on the batch it is in, nor on its place there."""
    given = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    views = Views(everything(), seed=5, epoch=3, images=20)
    order = np.random.default_rng(1).permutation(20)
    together = views(given[order], order)
    for place, image in enumerate(order):
        np.testing.assert_array_equal(together[place], views(given[image : image + 1], np.array([image]))[0])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_views_differ_by_epoch_and_seed(name: str) -> None:
    given = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    which = np.arange(20)
    found = [
        Views([AUGMENTATIONS[name]()], seed, epoch, 20)(given, which)
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert not (found[0] == found[1]).all()
    assert not (found[0] == found[2]).all()
    assert (found[0] == found[3]).all()


def test_two_epochs_show_both_sides_of_every_image() -> None:
    given = np.arange(40 * 4, dtype=np.uint8).reshape(40, 1, 4, 1)
    views = [Views([Flip()], 0, epoch, 40)(given, np.arange(40)) for epoch in range(4)]
    mirrored = [(view[:, 0, 0, 0] != given[:, 0, 0, 0]) for view in views]
    assert (mirrored[0] != mirrored[1]).all()
    assert (mirrored[0] == mirrored[2]).all()
    assert 8 < mirrored[0].sum() < 32
    coins = [Views([Flip(alternate=False)], 0, epoch, 40)(given, np.arange(40)) for epoch in range(2)]
    assert (coins[0] == coins[1]).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize(
    "make",
    [lambda: Shift(0), lambda: Cutout(-1), lambda: Zoom(1.0), lambda: Shear(0), lambda: Crop(1), lambda: Rotate(-5)],
)
def test_out_of_range(make: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be an? (number|integer)"):
        make()


def test_a_shift_across_the_whole_image_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"below the side of the images, 7, but is 7"):
        Shift(7).apply(images("uint8"), numbers(2))


@pytest.mark.parametrize("kind", [Shift, Cutout])
def test_pixels_are_whole(kind: type) -> None:
    with pytest.raises(ConfigError, match=r"must be an integer from 1 up, but is 1\.5"):
        kind(1.5)
    assert type(next(iter(vars(kind(np.int64(2))).values()))) is int
