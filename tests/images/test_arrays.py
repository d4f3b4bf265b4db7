"""What may be passed as images: each rule kept, each breach named, nothing silently wrong."""

from __future__ import annotations

import array as stdlib_array
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfast import GraphError, InputError, Network, Preprocess
from cnnfast.layers import Flatten, GlobalAvgPool, Identity, Linear

C, H, W = 3, 4, 5


def color_net() -> Network:
    """A network that returns its input, so that a wrong axis or stride shows: (3, 4, 5), bytes as they are."""
    return Network.from_layers([Identity()], (C, H, W), preprocess=Preprocess((H, W), scale=1.0))


def gray_net() -> Network:
    return Network.from_layers([Identity()], (1, H, W), preprocess=Preprocess((H, W), channels="gray", scale=1.0))


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
    net = color_net()
    before = pixels.copy()
    np.testing.assert_array_equal(net.forward(WAYS[way](pixels)), expected)
    np.testing.assert_array_equal(net.forward(WAYS[way](expected), layout="nchw"), expected)
    np.testing.assert_array_equal(net.forward(WAYS[way](pixels.astype(np.float32)), layout="nhwc"), expected)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "<f8", ">f8", ">f2"])
def test_floats_of_every_size_and_byte_order(expected: np.ndarray, dtype: str) -> None:
    values = expected.astype(dtype)
    np.testing.assert_array_equal(color_net().forward(values, layout="nchw"), expected)
    np.testing.assert_array_equal(color_net().forward(unaligned(values), layout="nchw"), expected)


def test_a_broadcast_image_is_not_copied_out(pixels: np.ndarray, expected: np.ndarray) -> None:
    many = np.broadcast_to(pixels[:1], (1000, H, W, C))
    result = color_net().forward(many)
    np.testing.assert_array_equal(result, np.broadcast_to(expected[:1], result.shape))


def test_bytes_may_be_channels_first(pixels: np.ndarray, expected: np.ndarray) -> None:
    planar = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(color_net().forward(planar, layout="nchw"), expected)


def test_one_image(pixels: np.ndarray, expected: np.ndarray) -> None:
    net = color_net()
    for one, layout in ((pixels[0], None), (expected[0], "nchw"), (pixels[0].astype(np.float32), "nhwc")):
        np.testing.assert_array_equal(net.forward(one, layout=layout), expected[:1])


def test_pictures_of_pillow(pixels: np.ndarray, expected: np.ndarray) -> None:
    pictures = [Image.fromarray(image) for image in pixels]
    np.testing.assert_array_equal(color_net().forward(pictures[0]), expected[:1])
    np.testing.assert_array_equal(color_net().forward(pictures), expected)


def test_a_flat_buffer_is_refused_by_its_shape() -> None:
    flat = stdlib_array.array("B", range(C * H * W))
    with pytest.raises(InputError, match=re.escape(f"(N, {H}, {W}, {C})")):
        color_net().forward(flat)


def test_gray_pictures_need_no_axis_of_channels(pixels: np.ndarray) -> None:
    net, gray = gray_net(), pixels[..., 0]
    expected = gray[:, None].astype(np.float32)
    ways = [gray, gray[..., None], gray.astype(np.float32), gray[:, None].astype(np.float64)]
    for images, layout in zip(ways, (None, None, None, "nchw"), strict=True):
        np.testing.assert_array_equal(net.forward(images, layout=layout), expected)
    for one in (gray[0], gray[0][..., None], gray[0].astype(np.float32)):
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
        ([], None, r"the list is empty; an array without any has the shape \(0, 4, 5, 3\)"),
        ([[1, 2], [3]], None, "cannot be read as an array: list"),
        (["cat.png"], None, r"dtype is <U7 \(a list of 'cat.png'\); net.classify\(...\) takes paths"),
        ("cat.png", None, r"but 'cat.png' is a path; net.classify\('cat.png'\) says"),
        (Path("a b"), None, r"but 'a b' is a path; net.classify\('a b'\) says"),
        (b"\x89PNG", None, r"dtype is \|S4 \(bytes\); net.classify"),
        (np.zeros((2, C, H, W), np.uint8), None, r"channels are first; say layout='nchw'$"),
        (np.zeros((C, H, W), np.uint8), None, r"channels are first; say layout='nchw'$"),
        (np.zeros((2, H, W, C), np.uint8), "nchw", r"channels are last; say layout='nhwc'$"),
        (np.zeros((H, W, 4), np.uint8), None, r"alpha channel. net.classify.*images\[..., :3\]"),
        (np.zeros((2, 9, 9, 4), np.uint8), None, r"alpha channel"),
        (np.zeros((9, 9, 3), np.uint8), None, r"resize pictures with net.classify\(images\), or .*fit_images"),
        (None, None, "dtype is object"),
        (np.ma.masked_equal(np.zeros((2, H, W, C), np.uint8), 0), None, r"masked pixels; fill them"),
    ],
)
def test_what_does_not_fit_is_named(images: object, layout: str | None, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        color_net().forward(images, layout=layout)


def test_bytes_without_preprocessing_are_refused(pixels: np.ndarray) -> None:
    net = Network.from_layers([Identity()], (C, H, W))
    with pytest.raises(InputError, match="takes floats, and no uint8 pixels"):
        net.forward(pixels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_value_that_is_not_finite_is_named_with_its_place(expected: np.ndarray, value: float) -> None:
    values = expected.astype(np.float64)
    values[17, 2, 3, 1] = value
    with pytest.raises(
        InputError, match=r"image 17 has the value .* at channel 2, row 3, column 1;.*nan_policy='propagate'"
    ):
        color_net().forward(values, layout="nchw")


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
    result = color_net().forward(values, layout="nchw", nan_policy="propagate")
    np.testing.assert_array_equal(result, values)
    with pytest.raises(InputError, match="nan_policy must be one of 'raise', 'propagate', but is 'ignore'"):
        color_net().forward(values, layout="nchw", nan_policy="ignore")


# Networks whose images have fewer axes, or others, than a picture ---------------------------------------------------

FEW_AXES = [(20,), (20, 1), (1, 20), (4, 5), (5, 4), (1, 1), (2, 2), (1,)]


@pytest.mark.parametrize("shape", FEW_AXES, ids=str)
def test_a_batch_may_have_the_shape_of_the_input(shape: tuple[int, ...]) -> None:
    net = Network.from_layers([Identity()], shape)
    for count in (1, 2, 37):
        values = np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)
        for layout in (None, "nchw", "nhwc"):
            np.testing.assert_array_equal(net.forward(values, layout=layout), values)
            np.testing.assert_array_equal(net.forward(values.astype(np.float64)[::-1], layout=layout), values[::-1])
        np.testing.assert_array_equal(net.forward(values[0]), values[:1])
        np.testing.assert_array_equal(net.compile(batch=count, raw=True)(values), values)
    assert net.forward(np.zeros((0, *shape), np.float32)).shape == (0, *shape)


@pytest.mark.parametrize("shape", [(20, 1), (4, 5), (1, 20)], ids=str)
def test_other_shapes_for_few_axes_are_refused_with_the_right_one(shape: tuple[int, ...]) -> None:
    net = Network.from_layers([Identity()], shape)
    rule = re.escape(f"(N, {shape[0]}, {shape[1]}) or, for one image, ({shape[0]}, {shape[1]})")
    for wrong in ((3, 7), (3, *shape, 1, 1), (2, shape[1] + 1, shape[0]), (19,)):
        with pytest.raises(InputError, match=rule if len(wrong) < 4 else "must have the shape"):
            net.forward(np.zeros(wrong, np.float32), layout="nchw")


@pytest.mark.parametrize(
    "shape", [(20,), (20, 1), (1, 20), (4, 5), (4, 5, 1), (1, 4, 5), (20, 1, 1), (1, 20, 1)], ids=str
)
def test_gray_pictures_go_into_every_shape_of_as_many_pixels(shape: tuple[int, ...]) -> None:
    net = Network.from_layers([Identity()], shape, preprocess=Preprocess((4, 5), channels="gray", scale=0.5, mean=3.0))
    pixels = np.random.default_rng(0).integers(0, 256, (37, 4, 5), dtype=np.uint8)
    expected = (pixels * np.float32(0.5) - 3).reshape(37, *shape)
    ways = [
        (pixels, None),
        (pixels[..., None], "nhwc"),
        (pixels[:, None], "nchw"),
        (pixels.reshape(-1, *shape), "nchw"),
    ]
    for images, layout in ways:
        np.testing.assert_array_equal(net.forward(images, layout=layout), expected)
        np.testing.assert_array_equal(net.forward(images[::-2, ...], layout=layout), expected[::-2])
    np.testing.assert_array_equal(net.forward(pixels[3]), expected[3:4])
    np.testing.assert_array_equal(net.predict_proba(pixels[:0]).shape[0], 0) if len(shape) == 1 else None
    assert net.preprocess is not None
    np.testing.assert_array_equal(net.forward(net.preprocess(pixels[..., None]), layout="nchw"), expected)


@pytest.mark.parametrize("shape", [(60,), (4, 15), (20, 3), (3, 5, 4), (21,), (5, 4)], ids=str)
def test_pictures_that_do_not_fit_are_refused_when_the_network_is_made(shape: tuple[int, ...]) -> None:
    """In a row of colored pixels, nothing would show whether the colors of one are adjacent."""
    channels = "rgb" if np.prod(shape) == 60 else "gray"
    with pytest.raises(GraphError, match=r"the preprocessing gives images of shape \(., 4, 5\), but the input"):
        Network.from_layers([Identity()], shape, preprocess=Preprocess((4, 5), channels=channels))


# Floats that have not been preprocessed -----------------------------------------------------------------------------

RULES = {
    "0 to 1": Preprocess((H, W)),
    "-1 to 1": Preprocess((H, W), mean=0.5, std=0.5),
    "normalized": Preprocess((H, W), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "less the mean": Preprocess((H, W), channels="bgr", scale=1.0, mean=(103.9, 116.8, 123.7)),
}


def classifier(rule: Preprocess | None) -> Network:
    weight = np.random.default_rng(0).standard_normal((6, C * H * W)) / 1000
    return Network.from_layers([Flatten(), Linear(weight)], (C, H, W), preprocess=rule)


@pytest.mark.parametrize("name", RULES)
def test_preprocessed_floats_and_those_around_them_are_taken(name: str, pixels: np.ndarray) -> None:
    net, rule = classifier(RULES[name]), RULES[name]
    pixels[0], pixels[1] = 0, 255
    values = rule(pixels)
    low, high = rule.value_range()
    assert (values.min(), values.max()) == (low, high)
    np.testing.assert_allclose(net.forward(values, layout="nchw"), net.forward(pixels), rtol=1e-4, atol=1e-5)
    net.forward(values + 3 * (high - low), layout="nchw")
    net.predict(values - 3 * (high - low), layout="nchw")


@pytest.mark.parametrize("name", ["0 to 1", "-1 to 1", "normalized"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_floats_of_0_to_255_are_refused_everywhere(name: str, dtype: type, pixels: np.ndarray) -> None:
    net, values = classifier(RULES[name]), pixels.astype(dtype)
    fast, raw = (net.compile(batch=19, layout="nhwc", raw=raw) for raw in (False, True))
    calls: dict[str, Any] = {
        "forward": lambda x: net.forward(x, layout="nhwc"),
        "propagate": lambda x: net.forward(x, layout="nhwc", nan_policy="propagate"),
        "predict_proba": lambda x: net.predict_proba(x, layout="nhwc"),
        "predict": lambda x: net.predict(x, layout="nhwc"),
        "topk": lambda x: net.topk(x, 2, layout="nhwc"),
        "features": lambda x: net.features(x, "flatten_1", layout="nhwc"),
        "compiled": fast,
        "compiled raw": raw,
    }
    for way, call in calls.items():
        for images in (values, np.repeat(values, 2, axis=0)[::2]):
            with pytest.raises(InputError, match=r"image 0 has the value .*uint8.*net.preprocess.*outliers='accept'"):
                call(images)
            assert way
    (*_, result) = net.stream(list(values))
    assert isinstance(result.error, InputError)
    assert "outliers='accept'" in str(result.error)
    with pytest.raises(InputError, match="outliers must be one of 'raise', 'accept', but is 'ignore'"):
        net.predict(values, layout="nhwc", outliers="ignore")


def test_floats_far_outside_may_be_accepted(pixels: np.ndarray) -> None:
    net, bare = classifier(RULES["0 to 1"]), classifier(None)
    values = pixels.astype(np.float32)
    expected = bare.forward(values, layout="nhwc")
    for images in (values, values.astype(np.float64), np.repeat(values, 2, axis=0)[::2]):
        np.testing.assert_array_equal(net.forward(images, layout="nhwc", outliers="accept"), expected)
    np.testing.assert_array_equal(net.predict(values, layout="nhwc", outliers="accept"), expected.argmax(axis=1))
    assert net.topk(values, 2, layout="nhwc", outliers="accept")[0].shape == (19, 2)
    np.testing.assert_array_equal(net.features(values, "linear_1", layout="nhwc", outliers="accept"), expected)
    fast = net.compile(batch=19, layout="nhwc", outliers="accept", raw=True)
    for copy in (fast, pickle.loads(pickle.dumps(fast))):
        np.testing.assert_array_equal(copy(values), expected)
    results = list(net.stream(list(values), outliers="accept"))
    assert [result.label for result in results] == expected.argmax(axis=1).tolist()
    values[4, 1, 1, 1] = np.nan
    for nan_policy, outliers in (("raise", "accept"), ("raise", "raise")):
        with pytest.raises(InputError, match="image 4 has the value nan"):
            net.forward(values, layout="nhwc", nan_policy=nan_policy, outliers=outliers)
    result = net.forward(values, layout="nhwc", nan_policy="propagate", outliers="accept")
    assert np.isnan(result).any(axis=1).tolist() == [i == 4 for i in range(19)]


def test_what_is_not_finite_is_no_outlier() -> None:
    net = classifier(RULES["0 to 1"])
    values = np.zeros((19, C, H, W), np.float32)
    values[3, 0, 0, 0], values[4, 0, 0, 0] = np.nan, np.inf
    for images in (values, values.astype(np.float64)):
        result = net.forward(images, layout="nchw", nan_policy="propagate")
        assert np.isfinite(result).all(axis=1).tolist() == [i not in (3, 4) for i in range(19)]
    values[5, 2, 3, 4] = -9
    for images in (values, values.astype(np.float64)):
        with pytest.raises(InputError, match=r"image 5 has the value -9\.0 at channel 2, row 3, column 4"):
            net.forward(images, layout="nchw", nan_policy="propagate")


def test_bounds_that_float32_cannot_hold_still_refuse_infinity() -> None:
    net = classifier(Preprocess((H, W), scale=1e35))
    values = np.full((2, C, H, W), 1e35, np.float32)
    assert net.forward(values, layout="nchw").shape == (2, 6)
    values[1, 0, 0, 0] = np.inf
    with pytest.raises(InputError, match="image 1 has the value inf"):
        net.forward(values, layout="nchw")
