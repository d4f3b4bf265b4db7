"""Occlusion maps: the place that decides is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast import ConfigError, Network, Preprocess
from cnnfast.layers import Flatten, Linear, Softmax
from cnnfast.report.occlusion import FOR, Occlusion, draw, occlusion, patched

SIDE = 14


@pytest.fixture
def net() -> Network:
    """A network that looks at the upper left corner alone: bright is "sun"."""
    weights = np.zeros((2, SIDE, SIDE), np.float32)
    weights[0, :4, :4] = 1.0
    layers = [Flatten(), Linear(weights.reshape(2, -1), np.array([-4.0, 0.0], np.float32)), Softmax()]
    rule = Preprocess(size=(SIDE, SIDE), channels="gray")
    return Network.from_layers(layers, (1, SIDE, SIDE), classes=["sun", "night"], preprocess=rule)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.full((SIDE, SIDE), 20, np.uint8)
    pixels[:4, :4] = 255
    Image.fromarray(pixels).save(tmp_path / "sun.png")
    return tmp_path / "sun.png"


def test_the_place_that_decides_is_found(net: Network, picture: Path) -> None:
    found = occlusion(net, picture)
    assert found.label == "sun"
    assert found.probability > 0.99
    assert found.effect.shape == (7, 7)
    assert np.unravel_index(found.effect.argmax(), (7, 7)) in ((0, 0), (0, 1), (1, 0), (1, 1))
    assert np.abs(found.effect[4:, 4:]).max() < 1e-6
    other = occlusion(net, picture, label=1)
    assert other.label == "night"
    np.testing.assert_allclose(other.effect, -found.effect, atol=1e-6)


def test_hidden_is_what_the_network_says_about_hidden_pixels(net: Network, picture: Path) -> None:
    pixels = np.asarray(Image.open(picture))[..., None]
    hidden = patched(pixels, 5)
    assert hidden.shape == (25, SIDE, SIDE, 1)
    found = occlusion(net, picture, grid=5)
    np.testing.assert_array_equal(found.hidden.reshape(-1), net.predict_proba(hidden, layout="nhwc")[:, 0])


def test_every_pixel_is_hidden_once_at_least() -> None:
    for height, width, grid in ((14, 14, 7), (32, 20, 7), (9, 9, 9), (28, 28, 3)):
        pixels = np.zeros((height, width, 1), np.int64)
        pixels[0, 0] = 10**6  # so that the mean differs from 0
        hidden = patched(pixels, grid) != pixels
        assert hidden.any(axis=0).all(), (height, width, grid)


def test_the_drawing_is_orange_where_the_class_is_seen(net: Network, picture: Path) -> None:
    assert net.preprocess is not None
    drawn = np.asarray(draw(occlusion(net, picture), picture, net.preprocess))
    height, width = drawn.shape[:2]
    half = width // 2
    red, _, blue = drawn[height // 14, half + 8 + half // 14].tolist()
    assert red - blue > 0.7 * (FOR[0] - FOR[2])
    rest = drawn[height * 3 // 4, half + half * 3 // 4]
    assert rest.max() == rest.min()
    flat = Occlusion("sun", 0.5, np.full((7, 7), 0.5))
    assert draw(flat, picture, net.preprocess).size == (width, height)


def test_a_grid_finer_than_pixels_is_refused(net: Network, picture: Path) -> None:
    with pytest.raises(ConfigError, match="from 2 to 14 places"):
        occlusion(net, picture, grid=15)
