"""Duplicates: exact, near, and none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnnfast import Network
from cnnfast.learn.alike import directions, near_pairs, same_bytes, twins
from cnnfast.learn.features import PictureFeatures, picture_features


def photo(seed: int) -> Image.Image:
    soft = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return Image.fromarray(soft).resize((96, 80), Image.Resampling.BICUBIC)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Twelve different pictures, and three versions of the first."""
    for i in range(12):
        photo(i).save(tmp_path / f"{i:02}.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "00.png").read_bytes())
    photo(0).resize((60, 50)).save(tmp_path / "small.jpg", quality=60)
    ImageOps.mirror(photo(1)).save(tmp_path / "turned.png")
    return tmp_path


def known(folder: Path) -> PictureFeatures:
    return picture_features(sorted(folder.iterdir()), Network.load("cifar10-lenet"))


def test_groups_of_the_same_and_nearly_the_same(album: Path) -> None:
    found = [[path.name for path in one.paths] for one in twins(known(album))]
    assert found == [["00.png", "copy.png", "small.jpg"], ["01.png", "turned.png"]]
    assert [one.exact for one in twins(known(album))] == [False, False]
    (album / "small.jpg").unlink()
    first, second = twins(known(album))
    assert first.exact
    assert first.likeness == (1.0, 1.0)
    assert not second.exact
    assert all(likeness > 0.95 for likeness in second.likeness)


def test_only_bytes_count_for_exact_ones(album: Path) -> None:
    paths = [*sorted(album.iterdir()), album / "missing.png"]
    assert [(paths[i].name, paths[j].name) for i, j in same_bytes(paths)] == [("00.png", "copy.png")]


def test_pairs_do_not_depend_on_how_they_are_divided(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = known(album)
    before = near_pairs(features)
    monkeypatch.setattr("cnnfast.learn.alike.ROWS", 4)
    assert [pair[:2] for pair in near_pairs(features)] == [pair[:2] for pair in before]


def test_directions_have_length_one() -> None:
    x = np.random.default_rng(0).normal(3, 1, (60, 8)).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(directions(x), axis=1), 1, rtol=1e-5)
    assert abs(float((directions(x) @ directions(x).T).mean())) < 0.1
