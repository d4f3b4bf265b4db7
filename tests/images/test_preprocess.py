"""The rule from bytes to values: its formula, its checks, and its way through JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfast.errors import ConfigError, InputError
from cnnfast.images.preprocess import CHANNELS, INTERPOLATIONS, RESIZES, Preprocess

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
IMAGENET = Preprocess(size=(16, 16), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def finite(low, high):
    return st.floats(low, high, allow_nan=False)


preprocesses = st.builds(
    Preprocess,
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    channels=st.sampled_from(list(CHANNELS)),
    resize=st.sampled_from(RESIZES),
    interpolation=st.sampled_from(INTERPOLATIONS),
    scale=finite(0.001, 2),
    mean=st.tuples(finite(-300, 300)),
    std=st.tuples(finite(0.001, 300)),
    background=st.tuples(*[st.integers(0, 255)] * 3),
)


def test_oracle_is_the_formula_to_the_last_bit():
    images = np.repeat(EVERY_BYTE, 3, axis=3)
    values = IMAGENET(images, dtype=np.float64)
    assert values.shape == (1, 3, 16, 16)
    for c, (mean, std) in enumerate(zip(IMAGENET.mean, IMAGENET.std, strict=True)):
        expected = (np.arange(256.0) * (1 / 255) - mean) / std
        np.testing.assert_array_equal(values[0, c].ravel(), expected)


def test_cs61c_rule_is_byte_by_255_minus_half():
    rule = Preprocess(size=(16, 16), channels="gray", mean=(0.5,))
    np.testing.assert_allclose(rule(EVERY_BYTE).ravel(), np.arange(256) / 255 - 0.5, atol=1e-7)


@given(preprocesses)
def test_float32_is_the_affine_map_and_close_to_the_oracle(rule):
    height, width = rule.size
    images = np.resize(EVERY_BYTE, (2, height, width, rule.channel_count))
    factor, shift = rule.affine()
    assert factor.dtype == shift.dtype == np.float32
    values = rule(images)
    assert values.dtype == np.float32
    assert values.shape == (2, *rule.shape)
    assert values.flags.c_contiguous
    exact = rule(images, dtype=np.float64)
    # Two rounded terms and a rounded sum, each at most half an ulp of the largest of them.
    bound = 2 * np.finfo(np.float32).eps * (255 * abs(factor[0]) + abs(shift[0]))
    assert np.abs(values - exact).max() <= bound


@given(preprocesses)
def test_comes_back_from_json(rule):
    assert Preprocess.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_rules_without_a_way_to_decode_are_old_and_keep_their_meaning():
    assert Preprocess(size=(2, 2)).decode == "reduced"
    assert Preprocess(size=(2, 2)).to_dict()["decode"] == "reduced"
    assert Preprocess.from_dict({"size": [2, 2]}).decode == "full"


def test_single_mean_and_std_stand_for_all_channels():
    rule = Preprocess(size=(2, 2), mean=(0.5,), std=(0.25,))
    assert rule.mean == (0.5, 0.5, 0.5)
    assert rule.std == (0.25, 0.25, 0.25)


def test_shift_of_no_mean_is_plain_zero():
    assert not np.signbit(Preprocess(size=(2, 2)).affine()[1]).any()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size": (0, 32)}, "size"),
        ({"size": (65537, 1)}, "size"),
        ({"size": (65536, 65536)}, "size"),
        ({"size": (32.0, 32)}, "size"),
        ({"size": (True, 32)}, "size"),
        ({"size": 32}, "size"),
        ({"size": None}, "size"),
        ({"channels": "rgba"}, "channels"),
        ({"channels": ["rgb"]}, "channels"),
        ({"resize": "squash"}, "resize"),
        ({"interpolation": "magic"}, "interpolation"),
        ({"scale": 0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"scale": "1"}, "scale"),
        ({"scale": True}, "scale"),
        ({"scale": 10**1000}, "scale"),
        ({"mean": (0.1, 0.2)}, "mean"),
        ({"mean": (float("inf"),)}, "mean"),
        ({"mean": {}}, "mean"),
        ({"mean": ()}, "mean"),
        ({"std": (0.5, 0.0, 0.5)}, "std"),
        ({"std": -1}, "std"),
        ({"std": 1e-320}, "std"),
        ({"std": 1e300}, "std"),
        ({"background": (0, 0, 256)}, "background"),
        ({"background": (0, 0)}, "background"),
        ({"background": "white"}, "background"),
        ({"decode": "half"}, "decode"),
        ({"decode": None}, "decode"),
        ({"crop_pct": 0, "resize": "crop"}, "crop_pct"),
        ({"crop_pct": 1.01, "resize": "crop"}, "crop_pct"),
        ({"crop_pct": "7/8", "resize": "crop"}, "crop_pct"),
        ({"crop_pct": 0.9}, "crop_pct"),
        ({"backgrund": (0, 0, 0)}, "backgrund"),
    ],
)
def test_refuses(change, named):
    with pytest.raises(ConfigError, match=named):
        Preprocess.from_dict({"size": [32, 32], **change})


@pytest.mark.parametrize("mapping", [None, [], "size", {}, {1: 2}])
def test_refuses_what_is_no_rule_at_all(mapping):
    with pytest.raises(ConfigError):
        Preprocess.from_dict(mapping)


@given(
    st.dictionaries(
        st.sampled_from([*Preprocess(size=(1, 1)).to_dict(), "crop_pct"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=6,
        ),
    )
)
def test_any_json_gives_a_rule_or_a_config_error(mapping):
    try:
        rule = Preprocess.from_dict(mapping)
    except ConfigError:
        return
    assert Preprocess.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((1, 3, 16, 16), np.uint8),
        np.zeros((1, 16, 17, 3), np.uint8),
        np.zeros((1, 16, 16, 1), np.uint8),
    ],
)
def test_call_refuses_other_images(images):
    with pytest.raises(InputError, match=r"uint8 images of shape \(N, 16, 16, 3\)"):
        IMAGENET(images)


def test_call_takes_none_at_all_and_read_only_views():
    assert IMAGENET(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 3, 16, 16)
    images = np.zeros((4, 16, 16, 6), np.uint8)[::2, ..., ::2]
    images.flags.writeable = False
    assert IMAGENET(images).shape == (2, 3, 16, 16)
