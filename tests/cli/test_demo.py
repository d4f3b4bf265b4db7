"""``demo``: the photographs of the extra, and the clear word where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from cnnfast import Network, Preprocess
from cnnfast.cli import demo_pictures
from cnnfast.data.cifar10 import CLASSES
from cnnfast.layers import Flatten, GlobalAvgPool, Linear, Softmax

needs_extra = pytest.mark.skipif(
    find_spec("foolbox") is None or find_spec("skimage") is None, reason='needs pip install "cnnfast[demo]"'
)


@pytest.fixture
def ten_classes(tmp_path):
    weights = np.random.default_rng(5).normal(size=(10, 3)) * 5
    layers = [GlobalAvgPool(), Flatten(), Linear(weights, np.zeros(10)), Softmax()]
    path = tmp_path / "ten.safetensors"
    Network.from_layers(layers, (3, 8, 8), classes=CLASSES, preprocess=Preprocess(size=(8, 8))).save(path)
    return path


@needs_extra
def test_the_demo_runs_to_the_end(run, ten_classes, tmp_path):
    sheet = tmp_path / "contact-sheet.png"
    result = run("demo", "--model", ten_classes, "--report", sheet)
    assert result.status == 0
    assert "Which of these" in result.out
    assert "of 20 labeled pictures right" in result.out
    assert "images/s with" in result.out
    assert str(sheet) in result.out
    assert sheet.read_bytes()[:4] == b"\x89PNG"


@needs_extra
def test_what_is_known_of_the_photographs():
    pictures = demo_pictures.demo_pictures()
    labeled = {known.path.name: known.label for known in pictures}
    assert labeled["cifar10_00_3.png"] == "cat"
    assert labeled["chelsea.png"] == "cat"
    assert labeled["imagenet_00_243.jpg"] == "dog"
    assert labeled["imagenet_03_990.jpg"] is None


def test_a_missing_extra_is_named_with_the_command(run, monkeypatch, ten_classes):
    monkeypatch.setattr(demo_pictures, "find_spec", lambda name: None)
    result = run("demo", "--model", ten_classes)
    assert result.status == 2
    assert 'pip install "cnnfast[demo]"' in result.err


def test_groups_of_imagenet_do_not_overlap():
    numbers = [n for _, group in demo_pictures.IMAGENET_GROUPS for n in group]
    assert len(numbers) == len(set(numbers))


@needs_extra
def test_another_kind_of_network_is_refused(run, model):
    assert "needs a network with the classes airplane" in run("demo", "--model", model).err
