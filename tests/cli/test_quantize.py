"""``quantize``: a file of integers, an account of it, and both networks measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import Network

COLORS = np.eye(3, dtype=np.uint8) * 255
Run = Callable[..., Any]


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    """Twenty images, each of one color and a little noise."""
    numbers = np.random.default_rng(0)
    labels = np.arange(20) % 3
    images = np.minimum(COLORS[labels][:, None, None] + numbers.integers(0, 60, (20, 4, 4, 3)), 255).astype(np.uint8)
    path = tmp_path / "labeled.npz"
    np.savez(path, images=images, labels=labels, classes=["red", "green", "blue"])
    return path


@pytest.fixture
def unlabeled(tmp_path: Path) -> Path:
    path = tmp_path / "unlabeled.npy"
    np.save(path, np.random.default_rng(1).integers(0, 256, (30, 4, 4, 3), dtype=np.uint8))
    return path


def test_a_network_of_integers_is_written(run: Run, model: Path, unlabeled: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.safetensors"
    result = run("quantize", model, unlabeled, "--out", target)
    assert result.status == 0, result.err
    assert "30 images: " in result.out
    assert "only 30 images: take 100 to 500" in result.err
    assert "of the labels agree" in result.out
    assert f"{target}: {target.stat().st_size:,} bytes" in result.out
    kinds = {node.op.name for node in Network.load(target).graph.nodes}
    assert "integer_linear" in kinds
    assert "linear" not in kinds


def test_both_networks_are_measured(run: Run, model: Path, unlabeled: Path, labeled: Path, tmp_path: Path) -> None:
    words = ("quantize", model, unlabeled, "--out", tmp_path / "a.safetensors", "--evaluate", labeled)
    text = run(*words)
    assert text.status == 0, text.err
    assert "of 20 labels 100.00% agree: 0 became wrong, 0 became right, 0 were and are wrong" in text.out
    assert "no certain difference" in text.out
    assert "one at a time" in text.out
    facts = json.loads(run(*words, "--force", "--json").out)
    assert facts["evaluation"]["accuracy"] == {"float": 1.0, "integers": 1.0}
    assert facts["evaluation"]["images"] == 20
    assert facts["images_per_second"]["single"].keys() == {"float", "integers"}
    assert facts["calibration"]["images"] == 30
    assert all(decibels > 20 for decibels in facts["layers"].values())
    speed = facts["images_per_second"]["batch"]
    assert speed["float"] > 0 < speed["integers"]


def test_as_many_images_as_asked_for(run: Run, model: Path, unlabeled: Path, tmp_path: Path) -> None:
    facts = run("quantize", model, unlabeled, "--images", 7, "--out", tmp_path / "a.safetensors", "--json")
    assert json.loads(facts.out)["calibration"]["images"] == 7


def test_labels_are_used_for_the_loss_alone(
    run: Run, model: Path, labeled: Path, unlabeled: Path, tmp_path: Path
) -> None:
    result = run("quantize", model, labeled, "--max-loss", 0.3, "--out", tmp_path / "a.safetensors")
    assert result.status == 0, result.err
    assert "accuracy 100.00%, in float 100.00%: 0.00 points lost" in result.out
    assert "points lost" not in run("quantize", model, labeled, "--out", tmp_path / "b.safetensors").out
    result = run("quantize", model, unlabeled, "--max-loss", 0.3, "--out", tmp_path / "c.safetensors")
    assert result.status == 2
    assert "no labels" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep-float", "x"], "there is no layer 'x'"),
        (["--images", "0"], "integer from 1 up"),
        (["--max-loss", "-1"], "points from 0 to 100"),
        (["--evaluate", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_what_is_wrong_is_named(
    run: Run, model: Path, unlabeled: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    result = run("quantize", model, unlabeled, "--out", tmp_path / "a.safetensors", *words)
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "a.safetensors").exists()


def test_files_are_not_replaced_unasked(run: Run, model: Path, unlabeled: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    target.write_bytes(b"mine")
    result = run("quantize", model, unlabeled, "--out", target)
    assert result.status == 2
    assert "--force" in result.err
    assert target.read_bytes() == b"mine"
    assert run("quantize", model, unlabeled, "--out", tmp_path / "a.keras").status == 2


def test_no_loss_may_be_asked_for(run: Run, model: Path, labeled: Path, tmp_path: Path) -> None:
    result = run("quantize", model, labeled, "--max-loss", 0, "--out", tmp_path / "a.safetensors")
    assert result.status == 0, result.err
    assert "0.00 points lost" in result.out


def test_one_picture_is_one_image(run: Run, model: Path, unlabeled: Path, tmp_path: Path) -> None:
    result = run("quantize", model, unlabeled, "--images", 1, "--out", tmp_path / "a.safetensors")
    assert result.status == 0, result.err
    assert "only 1 image: take" in result.err
    assert result.out.startswith("1 image: ")


def test_a_network_of_integers_is_refused_before_any_image_is_read(
    run: Run, model: Path, unlabeled: Path, tmp_path: Path
) -> None:
    first = tmp_path / "a.safetensors"
    assert run("quantize", model, unlabeled, "--out", first).status == 0
    result = run("quantize", first, "nowhere", "--out", tmp_path / "b.safetensors")
    assert result.status == 2
    assert "integers already" in result.err


def test_an_interrupted_calibration_writes_nothing(
    run: Run, model: Path, unlabeled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnfast.quantization.api.bias_corrected", press)
    result = run("quantize", model, unlabeled, "--out", tmp_path / "a.safetensors")
    assert result.status == 130
    assert "interrupted" in result.err
    assert not list(tmp_path.glob("*.safetensors*"))


def test_both_networks_are_compared_over_a_grayscale_data_set(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "digits.npz"
    digits = np.random.default_rng(2).integers(0, 256, (120, 28, 28), dtype=np.uint8)
    np.savez(path, images=digits, labels=np.arange(120) % 10)
    result = run("quantize", "mnist-mlp", path, "--out", tmp_path / "a.safetensors", "--evaluate", path)
    assert result.status == 0, result.err
    assert "of 120 labels" in result.out
