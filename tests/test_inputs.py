"""What may be passed as images: each rule kept, each breach named, nothing silently wrong."""

from __future__ import annotations

import array as stdlib_array
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfast import InputError, Network, Preprocess
from cnnfast.layers import Flatten, GlobalAvgPool, Identity, Linear

C, H, W = 3, 4, 5


def colour_net() -> Network:
    """A network that returns its input, so that a wrong axis or stride shows: (3, 4, 5), bytes as they are."""
    return Network.from_layers([Identity()], (C, H, W), preprocess=Preprocess((H, W), scale=1.0))


def grey_net() -> Network:
    return Network.from_layers([Identity()], (1, H, W), preprocess=Preprocess((H, W), channels="grey", scale=1.0))


def feature_net() -> Network:
    return Network.from_layers([Linear(np.eye(4))], (4,))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (19, H, W, C), dtype=np.uint8)


@pytest.fixture
def expected(pixels: np.ndarray) -> np.ndarray:
    return pixels.transpose(0, 3, 1, 2).astype(np.float32)


class OnlyDlpack:
    """An array of another library, which speaks nothing but DLPack."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def strided(a: np.ndarray) -> np.ndarray:
    """Return the same values between gaps, along every axis."""
    wide = np.zeros([2 * n for n in a.shape], a.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def reversed_twice(a: np.ndarray) -> np.ndarray:
    """Return the same values with all strides negative."""
    everywhere = (slice(None, None, -1),) * a.ndim
    return a[everywhere].copy()[everywhere]


def unaligned(a: np.ndarray) -> np.ndarray:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    view = memory[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


class Subclass(np.ndarray):
    """Somebody's own array type."""


WAYS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "strided": strided,
    "read-only": read_only,
    "negative strides": reversed_twice,
    "list": lambda a: [row for row in a],  # noqa: C416
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
    "dlpack": OnlyDlpack,
    "masked, nothing hidden": np.ma.masked_array,
    "subclass": lambda a: a.view(Subclass),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_array_gives_the_same(pixels: np.ndarray, expected: np.ndarray, way: str) -> None:
    net = colour_net()
    before = pixels.copy()
    np.testing.assert_array_equal(net.forward(WAYS[way](pixels)), expected)
    np.testing.assert_array_equal(net.forward(WAYS[way](expected), layout="nchw"), expected)
    np.testing.assert_array_equal(net.forward(WAYS[way](pixels.astype(np.float32)), layout="nhwc"), expected)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "<f8", ">f8", ">f2"])
def test_floats_of_every_size_and_byte_order(expected: np.ndarray, dtype: str) -> None:
    values = expected.astype(dtype)
    np.testing.assert_array_equal(colour_net().forward(values, layout="nchw"), expected)
    np.testing.assert_array_equal(colour_net().forward(unaligned(values), layout="nchw"), expected)


def test_a_broadcast_image_is_not_copied_out(pixels: np.ndarray, expected: np.ndarray) -> None:
    many = np.broadcast_to(pixels[:1], (1000, H, W, C))
    result = colour_net().forward(many)
    np.testing.assert_array_equal(result, np.broadcast_to(expected[:1], result.shape))


def test_bytes_may_be_channels_first(pixels: np.ndarray, expected: np.ndarray) -> None:
    planar = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(colour_net().forward(planar, layout="nchw"), expected)


def test_one_image(pixels: np.ndarray, expected: np.ndarray) -> None:
    net = colour_net()
    for one, layout in ((pixels[0], None), (expected[0], "nchw"), (pixels[0].astype(np.float32), "nhwc")):
        np.testing.assert_array_equal(net.forward(one, layout=layout), expected[:1])


def test_pictures_of_pillow(pixels: np.ndarray, expected: np.ndarray) -> None:
    pictures = [Image.fromarray(image) for image in pixels]
    np.testing.assert_array_equal(colour_net().forward(pictures[0]), expected[:1])
    np.testing.assert_array_equal(colour_net().forward(pictures), expected)


def test_a_flat_buffer_is_refused_by_its_shape() -> None:
    flat = stdlib_array.array("B", range(C * H * W))
    with pytest.raises(InputError, match=re.escape(f"(N, {H}, {W}, {C})")):
        colour_net().forward(flat)


def test_grey_pictures_need_no_axis_of_channels(pixels: np.ndarray) -> None:
    net, grey = grey_net(), pixels[..., 0]
    expected = grey[:, None].astype(np.float32)
    ways = [grey, grey[..., None], grey.astype(np.float32), grey[:, None].astype(np.float64)]
    for images, layout in zip(ways, (None, None, None, "nchw"), strict=True):
        np.testing.assert_array_equal(net.forward(images, layout=layout), expected)
    for one in (grey[0], grey[0][..., None], grey[0].astype(np.float32)):
        np.testing.assert_array_equal(net.forward(one), expected[:1])


def test_rows_of_features() -> None:
    net, rows = feature_net(), np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(net.forward(rows), rows)
    np.testing.assert_array_equal(net.forward(rows[0]), rows[:1])
    np.testing.assert_array_equal(net.forward(rows[:, ::-1]), rows[:, ::-1])
    np.testing.assert_array_equal(net.forward(rows[:, :, None, None], layout="nchw"), rows)
    for wrong in (rows[:, :3], rows[0, :3], np.float32(1), []):
        with pytest.raises(InputError, match=r"rows of features, of shape \(N, 4\) or, for one row, \(4,\)"):
            net.forward(wrong)


@pytest.mark.parametrize("batch", [(0, H, W, C), (1, H, W, C)], ids=str)
def test_empty_and_smallest_batch(batch: tuple[int, ...]) -> None:
    net = Network.from_layers([GlobalAvgPool(), Flatten()], (C, H, W), preprocess=Preprocess((H, W)))
    images = np.zeros(batch, np.uint8)
    assert net.forward(images).shape == (batch[0], C)
    assert net.predict_proba(images).shape == (batch[0], C)
    assert net.predict(images).shape == (batch[0],)
    labels, probabilities = net.topk(images, k=2)
    assert labels.shape == probabilities.shape == (batch[0], 2)


@pytest.mark.parametrize(
    ("images", "layout", "rule"),
    [
        (
            np.zeros((2, H, W, C), np.int64),
            None,
            r"uint8 pixels or floats, but their dtype is int64.*astype\('uint8'\)",
        ),
        (np.zeros((2, H, W, C), bool), None, "dtype is bool"),
        (np.zeros((2, H, W, C), np.uint16), None, "dtype is uint16"),
        (np.zeros((2, H, W, C), np.complex64), None, "dtype is complex64"),
        (np.zeros((2, H, W, C), object), None, "dtype is object"),
        (np.zeros((2, H, W, C), np.float32), None, r"channels first or last: say layout='nchw' or layout='nhwc'"),
        (np.zeros((2, H, W, C), np.float32), "chwn", "layout must be one of 'nchw', 'nhwc' or None, but is 'chwn'"),
        (np.zeros((2, H, W, C), np.float32), "nchw", r"\(2, 4, 5, 3\) in layout 'nchw'.*takes \(N, 3, 4, 5\)"),
        (np.zeros((2, H, W + 1, C), np.uint8), None, r"do not fit this network.*\(N, 4, 5, 3\).*resize"),
        (np.zeros((2, H, W, 4), np.uint8), None, r"\(2, 4, 5, 4\).*do not fit"),
        (np.zeros((2, H, W, 1), np.uint8), None, "do not fit"),
        (np.zeros((H, W), np.uint8), None, r"\(N, 4, 5, 3\) or, for one image, \(4, 5, 3\), but it is \(4, 5\)"),
        (np.zeros((2, H, W), np.uint8), None, r"but it is \(2, 4, 5\)"),
        (np.zeros((1, 2, H, W, C), np.uint8), None, r"but it is \(1, 2, 4, 5, 3\)"),
        (np.uint8(3), None, r"but it is \(\)"),
        ([], None, "channels first or last"),
        ([[1, 2], [3]], None, "cannot be read as an array: list"),
        (["cat.png"], None, "dtype is <U7"),
        (None, None, "dtype is object"),
        (np.ma.masked_equal(np.zeros((2, H, W, C), np.uint8), 0), None, r"masked pixels; fill them"),
    ],
)
def test_what_does_not_fit_is_named(images: object, layout: str | None, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        colour_net().forward(images, layout=layout)


def test_bytes_without_preprocessing_are_refused(pixels: np.ndarray) -> None:
    net = Network.from_layers([Identity()], (C, H, W))
    with pytest.raises(InputError, match="no preprocessing, so it cannot take uint8"):
        net.forward(pixels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_value_that_is_not_finite_is_named_with_its_place(expected: np.ndarray, value: float) -> None:
    values = expected.astype(np.float64)
    values[17, 2, 3, 1] = value
    with pytest.raises(InputError, match=r"image 17 has the value .* at channel 2, row 3, column 1; .*nan='propagate'"):
        colour_net().forward(values, layout="nchw")


def test_the_place_is_counted_over_the_whole_batch() -> None:
    """A large batch runs in pieces; the number of the image is not that of the piece."""
    values = np.zeros((100_000, 4), np.float32)
    values[99_999, 1] = np.nan
    net = Network.from_layers([Linear(np.zeros((4000, 4)))], (4,))
    with pytest.raises(InputError, match="image 99999 has the value nan"):
        net.forward(values)


def test_nan_may_propagate(expected: np.ndarray) -> None:
    values = expected.copy()
    values[3, 0, 0, 0], values[4, 0, 0, 0] = np.nan, np.inf
    result = colour_net().forward(values, layout="nchw", nan="propagate")
    np.testing.assert_array_equal(result, values)
    with pytest.raises(InputError, match="nan must be one of 'raise', 'propagate', but is 'ignore'"):
        colour_net().forward(values, layout="nchw", nan="ignore")
