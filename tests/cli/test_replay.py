"""``cnnfast remember`` and ``cnnfast train --replay``: more classes, or corrections, without forgetting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import COLORS, Result

from cnnfast import Network, open_dataset

Run = Callable[..., Result]


def pictures(path: Path, colors: dict[str, tuple[int, int, int]], each: int = 12, seed: int = 3) -> Path:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(colors)), each)
    images = np.array(list(colors.values()))[labels][:, None, None] + rng.integers(-25, 25, (len(labels), 4, 4, 3))
    np.savez(path, images=images.clip(0, 255).astype(np.uint8), labels=labels, classes=list(colors))
    return path


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the network for colors has learned from."""
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    return pictures(tmp_path / "old.npz", COLORS)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return pictures(tmp_path / "new.npz", {"Reds": (200, 30, 30), "white": (245, 245, 245)}, seed=4)


@pytest.fixture
def base(run: Run, model: Path, old: Path, tmp_path: Path) -> Path:
    path = tmp_path / "base.safetensors"
    result = run("remember", model, old, "--out", path, "--per-class", 10)
    assert result.status == 0, result.err
    assert result.out == f"{path}: features of 30 pictures, at most 10 of a class (300 bytes)\n"
    return path


FAST = ("--epochs", 30, "--batch", 16, "--learning-rate", 0.1)


def test_a_class_more(run: Run, base: Path, old: Path, new: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.safetensors"
    result = run("train", new, "--base", base, "--replay", *FAST, "--out", target)
    assert result.status == 0, result.err
    assert "22 new pictures, 2 more set aside, and 30 remembered ones; new classes: white\n" in result.err
    assert "no temperature: only 2 of 100 images were held out (--validation)" in result.err
    assert "100.00% of 30 remembered pictures right, 100.00% before\n" in result.out
    net = Network.load(target)
    assert net.classes_.tolist() == ["red", "green", "blue", "white"]
    for data in (old, new):
        dataset = open_dataset(data, net.class_names)
        (batch,) = dataset.batches(100)
        assert (net.predict(batch.images) == net.classes_[batch.labels]).all()
    assert "remembered: features of 40 pictures, at most 10 of a class" in run("summary", target).out
    # and again, on top of the result
    again = run("train", pictures(tmp_path / "x.npz", {"black": (9, 9, 9)}), "--base", target, "--replay", *FAST)
    assert again.status == 2
    assert "--out" in again.err
    more = tmp_path / "more.safetensors"
    again = run("train", tmp_path / "x.npz", "--base", target, "--replay", *FAST, "--out", more, "--freeze")
    assert again.status == 0, again.err
    assert Network.load(more).classes_.tolist()[-1] == "black"


def test_an_interrupted_run_gives_the_same_bits(
    run: Run, base: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", new, "--base", base, "--replay", "--epochs", 4, "--batch", 16, "--augment", "flip")
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert run(*words, "--out", whole, "--threads", 1).status == 0

    def stop(row: dict[str, float], epochs: int) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cnnfast.cli.train._print_row", stop)
        assert run(*words, "--out", parts).status == 130
    assert run(*words, "--out", parts, "--resume").status == 0
    a, b = Network.load(whole), Network.load(parts)
    for name, array in a.graph.constants.items():
        np.testing.assert_array_equal(b.graph.constants[name], array)


def test_what_to_do_where_nothing_is_remembered(run: Run, model: Path, new: Path, old: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.safetensors"
    result = run("train", new, "--base", model, "--replay", "--out", target)
    assert result.status == 2
    assert f"{model}: remembers no pictures" in result.err
    assert f"`cnnfast remember {model} DATA --out FILE`" in result.err
    for more, said in (
        (("--architecture", "lenet"), "--replay belongs to --base"),
        (("--base", model, "--freeze-up-to", "x"), "leave --freeze-up-to out"),
        (("--base", model, "--whiten"), "leave --whiten out"),
        (("--base", model, "--teacher", model), "leave --teacher out"),
    ):
        result = run("train", new, "--replay", *more, "--out", target)
        assert result.status == 2
        assert said in result.err
    assert not target.exists()


def test_only_flips_can_be_computed_once(run: Run, base: Path, new: Path, tmp_path: Path) -> None:
    result = run(
        "train", new, "--base", base, "--replay", "--augment", "flip,shift", "--out", tmp_path / "a.safetensors"
    )
    assert result.status == 2
    assert "may only have one Flip, but has Flip, Shift" in result.err


def test_without_replay_it_is_said_what_is_not_used(run: Run, base: Path, new: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.safetensors"
    result = run("train", new, "--base", base, "--freeze", "--epochs", 1, "--out", target)
    assert (
        "remembers features of 30 pictures, at most 10 of a class (300 bytes), which only --replay uses" in result.err
    )
    assert Network.load(target).remembered is None


def test_remember_writes_nothing_where_a_class_is_missing(run: Run, model: Path, new: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.safetensors"
    some = pictures(tmp_path / "some.npz", {"red": COLORS["red"]})
    result = run("remember", model, some, "--out", target)
    assert result.status == 2
    assert "no picture shows green, blue; a class that is not remembered would be forgotten" in result.err
    result = run("remember", model, new, "--out", target)
    assert result.status == 2
    assert "class 'white' is none of the network's" in result.err
    assert not target.exists()
    target.write_bytes(b"")
    assert "use --force" in run("remember", model, some, "--out", target).err


@pytest.mark.filterwarnings("default")
def test_calibrate_and_convert_keep_what_is_remembered(run: Run, base: Path, old: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    honest = tmp_path / "honest.safetensors"
    assert run("calibrate", base, old, "--out", honest).status == 0
    kept = Network.load(honest).remembered
    assert kept is not None
    half = tmp_path / "half.safetensors"
    assert run("convert", honest, half, "--dtype", "float16", "--labels", "rouge,vert,bleu").status == 0
    found = Network.load(half).remembered
    assert found is not None
    np.testing.assert_array_equal(found.features, kept.features)
    result = run("convert", base, tmp_path / "net.onnx")
    assert result.status == 0
    assert "ONNX has no place for what is remembered" in result.err
    scaled = tmp_path / "scaled.safetensors"
    assert run("convert", base, scaled, "--scale", 1).status == 0
    assert Network.load(scaled).remembered is None
