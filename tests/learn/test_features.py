"""Features of picture files: what they are, and that they are computed once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast import Network, Preprocess
from cnnfast.images.pictures.decode import read_picture
from cnnfast.learn.features import picture_features
from cnnfast.learn.head import cross_validated
from cnnfast.learn.network import with_fitted_head


@pytest.fixture(scope="module")
def net() -> Network:
    return Network.load("cifar10-lenet")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{name}.png" for name in "abcdef"]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)).save(path)
    return paths


def test_whole_pictures_are_what_the_network_knows(net: Network, pictures: list[Path]) -> None:
    assert net.preprocess is not None
    images = np.stack([read_picture(path, net.preprocess) for path in pictures])
    found = picture_features(pictures, net, views="whole")
    assert found.paths == pictures
    np.testing.assert_array_equal(found.features, net.features(images))
    mirrored = picture_features(pictures, net, views="mirrored")
    expected = (net.features(images) + net.features(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(mirrored.features, expected, rtol=1e-6, atol=1e-6)


def test_mirrored_pictures_have_the_features_of_the_picture(net: Network, pictures: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "mirrored.png"
    Image.fromarray(np.asarray(Image.open(pictures[0]))[:, ::-1]).save(other)
    one, two = picture_features([pictures[0], other], net).features
    np.testing.assert_allclose(one, two, rtol=0.02, atol=0.02)


def test_what_is_known_is_not_computed_again(net: Network, pictures: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = picture_features(pictures[:4], net, cache=cache)
    assert first.computed == 4
    second = picture_features(pictures, net, cache=cache)
    assert second.computed == 2
    np.testing.assert_array_equal(second.features[:4], first.features)
    assert picture_features(pictures, net, cache=cache).computed == 0
    # through a link the same folder is found
    (tmp_path / "link").symlink_to(pictures[0].parent)
    assert picture_features([tmp_path / "link" / path.name for path in pictures], net, cache=cache).computed == 0
    assert picture_features(pictures, net, cache=cache, views="whole").computed == 6
    assert picture_features(pictures, Network.load("cifar10-cs61c"), cache=cache).computed == 6


def test_a_changed_file_is_computed_again(net: Network, pictures: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = picture_features(pictures, net, cache=cache).features
    Image.new("RGB", (50, 60), "red").save(pictures[2])
    os.utime(pictures[2], ns=(1, 1))
    after = picture_features(pictures, net, cache=cache)
    assert after.computed == 1
    assert [i for i in range(6) if not np.array_equal(before[i], after.features[i])] == [2]


def test_a_damaged_cache_is_no_cache(net: Network, pictures: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    picture_features(pictures, net, cache=cache)
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:-7])
    assert picture_features(pictures, net, cache=cache).computed == 6


def test_what_cannot_be_read_is_named(net: Network, pictures: list[Path]) -> None:
    pictures[1].write_bytes(b"not a picture")
    found = picture_features([*pictures, Path("missing.png")], net)
    assert found.paths == [pictures[0], *pictures[2:]]
    assert [path.name for path, _ in found.failed] == ["b.png", "missing.png"]


def test_the_head_becomes_part_of_the_network(net: Network, pictures: list[Path], tmp_path: Path) -> None:
    known = picture_features(pictures, net, views="whole")
    head = cross_validated(known.features, np.array([0, 1, 0, 1, 0, 1])).head
    with_fitted_head(net, head, ["odd", "even"]).save(tmp_path / "own.safetensors")
    own = Network.load(tmp_path / "own.safetensors")
    assert isinstance(own.preprocess, Preprocess)
    images = np.stack([read_picture(path, own.preprocess) for path in pictures])
    np.testing.assert_allclose(own.predict_proba(images), head.probabilities(known.features), atol=1e-5)
