"""What a run keeps: every changed bit is noticed, a full disk ends nothing, what killed runs left is removed."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import posix
from train import bars

import cnnfast
from cnnfast.errors import ModelFileError, OutputError
from cnnfast.formats.digest import read_sealed, write_sealed
from cnnfast.formats.native import load
from cnnfast.network.network import Network
from cnnfast.runtime.outputs import remove_unfinished
from cnnfast.train import AdamW, Recipe, fit
from cnnfast.train.checkpoint import KEY, Checkpoint, load_checkpoint
from cnnfast.train.history import CHECKPOINT, HISTORY, read_history

RECIPE = Recipe(epochs=2, batch=20, optimizer=AdamW(learning_rate=0.02), seed=7)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small steps on several threads wait for each other, which takes long on a machine that does other work."""
    with cnnfast.threads(1):
        yield


def data() -> tuple[np.ndarray, np.ndarray]:
    return bars.pictures(120, seed=0)


def bits(net: Network) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in net.graph.constants.items()}


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond some bytes, as on a disk that is full."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    fit(bars.network(), data(), RECIPE, run_dir=tmp_path)
    path = tmp_path / CHECKPOINT
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, 7, 8, 40, 60, 100, len(content) - 1, *rng.integers(len(content), size=60)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="cannot be resumed"):
            load_checkpoint(path)
    path.write_bytes(content)
    assert load_checkpoint(path).epoch == 2


FIELDS = {"epoch": 1, "step": 5, "identity": {}, "history": [{"epoch": 1}]}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"epoch": 1.0}, "must count what is finished"),
        ({"epoch": True}, "must count what is finished"),
        ({"epoch": -1}, "must count what is finished"),
        ({"step": 0}, "must count what is finished"),
        ({"identity": []}, "must have an identity"),
        ({"history": {}}, "a row of history for each of its 1 epochs"),
        ({"history": []}, "a row of history for each of its 1 epochs"),
        ({"history": [3]}, "count epochs from 1"),
        ({"history": [{"epoch": 2}]}, "count epochs from 1"),
    ],
)
def test_fields(change: dict[str, Any], rule: str, tmp_path: Path) -> None:
    Checkpoint(**(FIELDS | change), arrays={"weights/a": np.zeros(3, np.float32)}).save(tmp_path / "c")
    with pytest.raises(ModelFileError, match=rule):
        load_checkpoint(tmp_path / "c")


def test_versions_before_the_digest(tmp_path: Path) -> None:
    write_sealed(tmp_path / "c", {KEY: '{"version":1}'}, {"a": np.zeros(1, np.float32)})
    with pytest.raises(ModelFileError, match="another version of checkpoints than 3; start over"):
        load_checkpoint(tmp_path / "c")
    (tmp_path / "c").write_bytes(b"\x20\0\0\0\0\0\0\0" + b'{"__metadata__":{"' + KEY.encode() + b'":"{}"}}' + b" " * 99)
    with pytest.raises(ModelFileError, match="states no SHA-256"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            lambda a: {**a, "weights/dense.bias": np.zeros(1, np.float32)},
            r"'weights/dense\.bias' is float32 of shape \(1,\)",
        ),
        (lambda a: {**a, "weights/dense.bias": a["weights/dense.bias"].astype(np.float64)}, "is float64 of shape"),
        (lambda a: {n: v for n, v in a.items() if n != "weights/dense.bias"}, r"lacks the array 'weights/dense\.bias'"),
        (lambda a: {**a, "weights/more": np.zeros(1, np.float32)}, "does not use: 'weights/more'"),
    ],
)
def test_arrays_that_do_not_fit(change: Any, rule: str, tmp_path: Path) -> None:
    """Their digest is right, so that only the shapes tell; a bias of one number would be broadcast."""
    fit(bars.network(), data(), RECIPE, run_dir=tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT)
    dataclasses.replace(kept, arrays=change(kept.arrays)).save(tmp_path / CHECKPOINT)
    with pytest.raises(ModelFileError, match=f"cannot be resumed: .*{rule}"):
        fit(bars.network(), data(), RECIPE, run_dir=tmp_path, resume=True)


@posix
def test_a_full_disk_ends_no_run(tmp_path: Path) -> None:
    undisturbed = fit(bars.network(), data(), RECIPE)
    with (
        full_disk(1000),
        pytest.warns(UserWarning, match=r"epoch \d could not be saved in .*too large; training continues"),
    ):
        fitted = fit(bars.network(), data(), RECIPE, run_dir=tmp_path)
    assert bits(fitted.network) == bits(undisturbed.network)
    assert len(fitted.history) == 2
    assert [path.name for path in tmp_path.iterdir()] == [HISTORY]
    again = fit(bars.network(), data(), RECIPE, run_dir=tmp_path, resume=True)
    assert bits(again.network) == bits(undisturbed.network)
    assert len(read_history(tmp_path / HISTORY)) == 2


@posix
def test_the_checkpoint_before_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    one = dataclasses.replace(RECIPE, epochs=1)
    fit(bars.network(), data(), one, run_dir=tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with full_disk(1000), pytest.raises(OutputError):
        load_checkpoint(tmp_path / CHECKPOINT).save(tmp_path / CHECKPOINT)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, HISTORY}


def test_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".cnnfast-0123456789ab.tmp"
    other = tmp_path / ".other.tmp"
    for path in (left, other):
        path.write_bytes(b"half")
    fit(bars.network(), data(), dataclasses.replace(RECIPE, epochs=1), run_dir=tmp_path)
    assert not left.exists()
    assert other.exists()


def test_what_others_may_still_write_stays(tmp_path: Path) -> None:
    young, old = (tmp_path / f".cnnfast-{name}.tmp" for name in ("young", "old"))
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 5000,) * 2)
    remove_unfinished(tmp_path, 3600)
    assert young.exists()
    assert not old.exists()
    remove_unfinished(tmp_path / "missing")


@posix
def test_the_cache_of_features(tmp_path: Path) -> None:
    def features(cache: Path | None) -> dict[str, bytes]:
        return bits(fit(bars.network(), data(), RECIPE, freeze="flat", cache=cache).network)

    right = features(None)
    assert features(tmp_path) == right
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for place in (100, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 4
        file.write_bytes(damaged)
        assert features(tmp_path) == right
        assert file.read_bytes() == content
    file.unlink()
    with full_disk(100), pytest.warns(UserWarning, match="could not be saved for the next run"):
        assert features(tmp_path) == right
    assert not list(tmp_path.iterdir())


def test_sealed_files(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(1, np.float64)}
    write_sealed(tmp_path / "f", {"note": "x"}, arrays)
    metadata, found = read_sealed(tmp_path / "f")
    assert metadata == {"note": "x"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(ModelFileError, match="exactly the keys"):
        load(tmp_path / "f")
