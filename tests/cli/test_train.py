"""The commands train and plot, on pictures of bars."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Result
from PIL import Image
from train import bars

from cnnfast import Network, OutputError, Preprocess, TrainingError
from cnnfast.cli.train import save_trained
from cnnfast.layers import Flatten, Linear, Relu
from cnnfast.train.trainer import Trainer

FAST = ("--epochs", 3, "--batch", 20, "--learning-rate", 0.02)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz with a part to learn and a part to test."""
    path = tmp_path_factory.mktemp("bars") / "bars.npz"
    (x, y), (xt, yt) = bars.pictures(150, 0), bars.pictures(60, 1)
    big, big_test = (np.kron(images, np.ones((1, 2, 2, 1), np.uint8)) for images in (x, xt))
    np.savez(path, x_train=big, y_train=y, x_test=big_test, y_test=yt, classes=np.array(bars.CLASSES))
    return path


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate cache, and one thread: small steps on several wait for each other on a busy machine."""
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CNNFAST_NUM_THREADS", "1")


def test_from_nothing(data: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    out = tmp_path / "bars.safetensors"
    result = run("train", data, "--architecture", "lenet", "--out", out, *FAST, "--augment", "shift,cutout=3")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert [line.split("  ")[0] for line in lines[:3]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert lines[3].endswith("% of 60 test images right")
    assert float(lines[3].split("%")[0]) > 80
    net = Network.load(out)
    assert net.classes_.tolist() == list(bars.CLASSES)
    assert net.preprocess is not None
    assert net.preprocess.size == (16, 16)
    assert net.preprocess.mean != (0.0,)
    assert str(tmp_path) not in net.notes["recipe"]
    evaluated = run("evaluate", out, data)
    assert f"accuracy {lines[3].split(' ')[0]}" in evaluated.out
    rows = [json.loads(line) for line in (tmp_path / "bars.safetensors.run" / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_resumed_file_is_the_same(
    data: Path, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", data, "--architecture", "lenet", *FAST, "--augment", "shift", "--average", "ema:decay=0.9")
    one, two = tmp_path / "one" / "n.safetensors", tmp_path / "two" / "n.safetensors"
    for path in (one, two):
        path.parent.mkdir()
    assert run(*words, "--out", one).status == 0
    with monkeypatch.context() as patch:
        update = Trainer._update

        def interrupting(self: Trainer, steps: int, done: int | None) -> float:
            if self.step == 10:
                raise KeyboardInterrupt
            return update(self, steps, done)

        patch.setattr(Trainer, "_update", interrupting)
        stopped = run(*words, "--out", two)
    assert stopped.status == 130
    assert "interrupted after epoch 1" in stopped.err
    assert Network.load(two).input_shape == (1, 16, 16)
    refused = run(*words, "--out", two)
    assert refused.status == 2
    assert "use --resume to continue it, or --force to start over" in refused.err
    assert run(*words, "--out", two, "--resume").status == 0
    weights = [Network.load(path).graph.constants for path in (one, two)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_on_top_of_another(data: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    base, out = tmp_path / "base.safetensors", tmp_path / "own.safetensors"
    assert run("train", data, "--architecture", "lenet", "--out", base, *FAST).status == 0
    folder = tmp_path / "two"
    images, labels = bars.pictures(90, 2)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / ("slanted" if label == 2 else "straight")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.kron(image[..., 0], np.ones((2, 2), np.uint8))).save(place / f"{i}.png")
    (folder / "slanted" / "broken.png").write_bytes(b"no picture")
    # an option without a value before the folder does not take it for its value
    result = run("train", "--base", base, "--freeze", folder, "--out", out, *FAST, "--augment", "flip")
    assert result.status == 1, result.err
    assert "1 could not be read" in result.err
    net, below = Network.load(out), Network.load(base)
    assert net.classes_.tolist() == ["slanted", "straight"]
    assert all((net.graph.constants[n] == below.graph.constants[n]).all() for n in ("conv1.weight", "fc2.bias"))
    assert "head.1.weight" in net.graph.constants
    words = ("--base", base, "--out", out, *FAST, "--force")
    assert run("train", "--freeze-up-to", "relu_3", folder, *words).status == 1
    parts = Network.load(out).graph.constants
    assert (parts["conv2.weight"] == below.graph.constants["conv2.weight"]).all()
    assert not (parts["fc2.bias"] == below.graph.constants["fc2.bias"]).all()
    kept = run("train", data, "--base", base, "--out", out, *FAST, "--force")
    assert kept.status == 0
    assert "fc3.weight" in Network.load(out).graph.constants


def times_of(cache: Path) -> dict[Path, int]:
    """Return when each file of what is kept between runs was written."""
    return {file: file.stat().st_mtime_ns for file in cache.rglob("*.safetensors")}


def test_a_teacher(data: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    teacher, out = tmp_path / "teacher.safetensors", tmp_path / "pupil.safetensors"
    assert run("train", data, "--architecture", "lenet", "--out", teacher, *FAST).status == 0
    result = run("train", data, "--architecture", "cs61c", "--teacher", teacher, "--out", out, *FAST)
    assert result.status == 0, result.err
    assert float(result.out.splitlines()[3].split("%")[0]) > 80
    pupil, answers = Network.load(out), times_of(tmp_path / "cache")
    assert len(answers) == 2
    again = run("train", data, "--architecture", "cs61c", "--teacher", teacher, "--out", out, *FAST, "--force")
    assert again.status == 0, again.err
    constants = Network.load(out).graph.constants
    assert all((constants[name] == array).all() for name, array in pupil.graph.constants.items())
    assert times_of(tmp_path / "cache") == answers
    assert (
        "the teacher knows 10 classes, but the images show 3"
        in run("train", data, "--architecture", "lenet", "--teacher", "mnist-mlp", "--out", out, *FAST, "--force").err
    )


def test_muon_on_a_whitened_network(data: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    out = tmp_path / "bars.safetensors"
    words = (
        "--whiten",
        "--optimizer",
        "muon",
        "--init",
        "identity",
        "--learning-rate",
        0.1,
        "--momentum",
        0.6,
        "--head-optimizer",
        "adamw:learning_rate=0.01",
        "--frozen-params",
        "conv2.bias",
    )
    result = run(
        "train", data, "--architecture", "lenet", "--out", out, *FAST[:4], "--schedule", "linear:warmup=0.1", *words
    )
    assert result.status == 0, result.err
    assert float(result.out.splitlines()[3].split("%")[0]) > 80
    constants = Network.load(out).graph.constants
    np.testing.assert_array_equal(constants["conv1.weight"][:3], -constants["conv1.weight"][3:6])
    assert constants["conv1.bias"].any()
    assert not constants["conv2.bias"].any()


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_divergence_leaves_the_last_good_weights(
    data: Path, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer._update

    def exploding(self: Trainer, steps: int, done: int | None) -> float:
        if self.step == 10:
            self.engine.parameters["fc3.bias"][...] = np.nan
        return update(self, steps, done)

    monkeypatch.setattr(Trainer, "_update", exploding)
    out = tmp_path / "n.safetensors"
    result = run("train", data, "--architecture", "lenet", "--out", out, *FAST)
    assert result.status == 2
    assert "training diverged: in epoch 2" in result.err
    assert "the last good weights" in result.err
    assert np.isfinite(Network.load(out).graph.constants["fc3.bias"]).all()
    assert issubclass(TrainingError, ArithmeticError)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--architecture", "lenett"), "did you mean 'lenet'"),
        (("--architecture", "lenet", "--freeze"), "--freeze belongs to --base"),
        (("--architecture", "lenet", "--freeze-up-to", "conv1"), "--freeze belongs to --base"),
        (("--architecture", "lenet", "--augment", "flap"), "there is no augmentation 'flap'; known: flip, shift"),
        (("--architecture", "lenet", "--augment", "shift=x"), "shift takes int after ="),
        (("--architecture", "lenet", "--augment", "flip=2"), "flip takes no value"),
        (("--architecture", "lenet", "--augment", "zoom=2"), "zoom must be a number above 0 and below 1"),
        (("--architecture", "lenet", "--momentum", "0.9"), "belongs to sgd and muon"),
        (("--architecture", "lenet", "--frozen-params", "conv9"), "matches no trained layer or parameter"),
        (("--architecture", "mlp", "--whiten"), "whitening needs a first layer that is a convolution"),
        (("--architecture", "lenet", "--rounds", "3"), "--rounds belongs to muon, but the optimizer is adamw"),
        (("--architecture", "lenet", "--schedule", "up"), "there is no schedule 'up'; known: constant, step"),
        (("--architecture", "lenet", "--schedule", "constant:floor=1"), "no setting 'floor'; it has: none"),
        (("--architecture", "lenet", "--average", "ema:decay=2"), "decay must be a number from 0 and below 1"),
        (("--base", "mnist-mlp", "--init", "identity"), "--init belongs to --architecture"),
        (
            ("--architecture", "lenet", "--optimizer", "muon", "--head-optimizer", "sdg:learning_rate=1"),
            "there is no optimizer 'sdg'",
        ),
        (
            ("--architecture", "lenet", "--optimizer", "muon", "--head-optimizer", "muon"),
            "head_optimizer must be SGD, Adam or AdamW",
        ),
        (
            ("--architecture", "lenet", "--optimizer", "muon", "--head-optimizer", "sgd:beta1=1"),
            "has no setting 'beta1'",
        ),
        (
            ("--architecture", "lenet", "--optimizer", "muon", "--bias-optimizer", "sgd:learning_rate=x"),
            "must be a number, but is 'x'",
        ),
        (("--architecture", "lenet", "--learning-rate", "-1"), "learning_rate must be a number above 0"),
        (("--architecture", "lenet", "--epochs", "0"), "must be an integer from 1 up"),
        (("--base", "mnist-mlp", "--size", "16"), "leave --size out"),
        (("--architecture", "lenet", "--preprocess", "raw"), "--preprocess belongs to --base"),
        ((), "one of the arguments --architecture --base is required"),
    ],
)
def test_words_that_make_no_sense(
    words: tuple[str, ...], message: str, data: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    result = run("train", data, *words, "--out", tmp_path / "n.safetensors")
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_base_that_does_not_say_how_a_picture_becomes_its_input(
    data: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    base, out = tmp_path / "base.safetensors", tmp_path / "n.safetensors"
    net = Network.build([Flatten(), Linear(9), Relu(), Linear(2)], (1, 16, 16), classes=["a", "b"])
    net.save(base)
    refused = run("train", data, "--base", base, "--out", out, *FAST)
    assert refused.status == 2
    assert "--preprocess raw" in refused.err
    taken = run("train", data, "--base", base, "--preprocess", "1/255", "--out", out, *FAST)
    assert taken.status == 0, taken.err
    assert Network.load(out).preprocess == Preprocess((16, 16), channels="gray")
    assert f"network: {out}" in taken.err


def test_an_empty_class(tmp_path: Path, run: Callable[..., Result]) -> None:
    path = tmp_path / "two.npz"
    images, labels = bars.pictures(30, 0)
    np.savez(path, images=images[labels > 0], labels=labels[labels > 0], classes=np.array(bars.CLASSES))
    result = run("train", path, "--architecture", "mlp", "--out", tmp_path / "n.safetensors", *FAST)
    assert result.status == 2
    assert "no image shows class flat" in result.err


def test_plots(data: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install cnnfast[plots]")
    out, folder = tmp_path / "n.safetensors", tmp_path / "plots"
    result = run("train", data, "--architecture", "lenet", "--out", out, *FAST, "--save-plots", folder)
    assert result.status == 0, result.err
    assert sorted(path.name for path in folder.iterdir()) == ["confusion.png", "curves.png"]
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert picture.size[0] > 400
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
    drawn = run("plot", f"{out}.run", "--format", "svg")
    assert drawn.status == 0
    assert drawn.out.split() == [str(Path(f"{out}.run") / f"{name}.svg") for name in ("curves", "confusion")]
    nothing = run("plot", tmp_path)
    assert nothing.status == 2
    assert "name the folder of a training run" in nothing.err


@pytest.mark.parametrize("begin", [("--architecture", "lenet"), ("--base", "mnist-mlp", "--freeze")])
def test_a_single_class_is_no_lesson(begin: tuple[str, ...], tmp_path: Path, run: Callable[..., Result]) -> None:
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    for i in range(12):
        Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(tmp_path / "photos" / "cats" / f"{i}.png")
    result = run("train", tmp_path / "photos", *begin, "--out", tmp_path / "own.safetensors", *FAST)
    assert result.status == 2
    assert "all images show cats, and a network learns to tell at least two classes apart" in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "own.safetensors").exists()


def test_a_network_that_cannot_be_written_is_not_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.safetensors").mkdir()
    net = bars.network()
    with pytest.raises(OutputError, match="is a folder"):
        save_trained(net, tmp_path / "out.safetensors")
    elsewhere = Path(capsys.readouterr().err.strip().rpartition(" is in ")[2])
    kept = Network.load(elsewhere)
    assert all((kept.graph.constants[n] == array).all() for n, array in net.graph.constants.items())
    shutil.rmtree(elsewhere.parent)
