"""`fit`: what it learns, that it learns the same every time, and how it ends."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from train import bars

import cnnfast
from cnnfast import Network, Preprocess, open_dataset
from cnnfast.cli.models import described
from cnnfast.errors import ConfigError, DataError, InputError, ModelFileError, OutputError, TrainingError
from cnnfast.graph import Graph
from cnnfast.layers import Conv2d, Flatten, Linear, Sigmoid, Softmax
from cnnfast.runtime.claims import claimed
from cnnfast.train import (
    EMA,
    SGD,
    SWA,
    Adam,
    AdamW,
    Constant,
    Cutout,
    EarlyStopping,
    Examples,
    FitResult,
    Flip,
    Lookahead,
    Muon,
    Recipe,
    Shift,
    fit,
    split,
)
from cnnfast.train.engine.base import trainable_names
from cnnfast.train.history import CHECKPOINT, HISTORY, read_history
from cnnfast.train.trainer import Trainer
from cnnfast.train.transfer import with_graph

RECIPE = Recipe(epochs=8, batch=20, optimizer=AdamW(learning_rate=0.02), seed=7)
FULL = dataclasses.replace(
    RECIPE, augment=(Shift(1), Cutout(2)), averaging=EMA(0.9), clip_norm=1.0, label_smoothing=0.1
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small steps on several threads wait for each other, which takes long on a machine that does other work."""
    with cnnfast.threads(1):
        yield


def data(count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    return bars.pictures(count, seed=0)


def bits(fitted: FitResult) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in fitted.network.graph.constants.items()}


def without_time(rows: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]


def test_it_learns() -> None:
    images, labels = bars.pictures(90, seed=1)
    fitted = fit(bars.network(), data(300), RECIPE, validation=(images, labels))
    found = (fitted.network.predict(images) == fitted.network.classes_[labels]).mean()
    assert found >= 0.95
    assert fitted.history[-1]["val_accuracy"] == found
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"] / 2
    assert fitted.ended == "finished"
    assert isinstance(fitted.network.graph.by_name[fitted.network.graph.outputs[0]].op, cnnfast.ops.Softmax)


def test_the_first_network_stays_as_it_is() -> None:
    net = bars.network()
    before = {name: array.copy() for name, array in net.graph.constants.items()}
    fitted = fit(net, data(), dataclasses.replace(RECIPE, epochs=1))
    assert all((net.graph.constants[name] == array).all() for name, array in before.items())
    assert any((fitted.network.graph.constants[name] != array).any() for name, array in before.items())


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        FULL,
        dataclasses.replace(FULL, optimizer=Muon(learning_rate=0.05, sphere=True)),
        dataclasses.replace(
            FULL,
            optimizer=SGD(learning_rate=0.05, head_optimizer=Adam(), bias_optimizer=SGD(0.5)),
            averaging=Lookahead(),
        ),
    ],
    ids=["plain", "full", "muon", "lookahead"],
)
def test_the_same_bits_on_one_thread_and_on_two(recipe: Recipe) -> None:
    net = bars.network(norm=True, dropout=True)
    recipe = dataclasses.replace(recipe, epochs=2)
    one, two = (fit(net, data(), recipe, threads=threads, validation=0.2) for threads in (1, 2))
    assert bits(one) == bits(two)
    assert without_time(one.history) == without_time(two.history)


def test_what_is_fixed_stays_as_it_is() -> None:
    net = bars.network(norm=True)
    trained = trainable_names(net.graph)
    fixed = [name for name in trained if name.endswith(".scale") or name.startswith(trained[0].partition(".")[0])]
    fitted = fit(
        net, data(), dataclasses.replace(RECIPE, epochs=1), frozen_params=["*.scale", trained[0].partition(".")[0]]
    )
    before, after = net.graph.constants, fitted.network.graph.constants
    assert all((before[name] == after[name]).all() == (name in fixed) for name in trained)
    with pytest.raises(ConfigError, match="'conv9' is to be frozen, but it matches no trained layer or parameter"):
        fit(net, data(), RECIPE, frozen_params=["conv9"])


def test_another_seed_gives_another_network() -> None:
    other = dataclasses.replace(RECIPE, seed=8)
    assert bits(fit(bars.network(), data(), RECIPE)) != bits(fit(bars.network(), data(), other))


def test_lookahead_goes_on_from_its_average() -> None:
    """Three steps at a constant rate, in float64: the third begins at the average of the first two."""
    images, labels = np.eye(4, dtype=np.float32)[[0, 1]].reshape(2, 4), np.array([0, 1])
    net = Network.from_layers([Linear(np.ones((2, 4)) * [[1], [-1]])], (4,))
    recipe = Recipe(
        epochs=3, batch=2, optimizer=SGD(learning_rate=0.5), schedule=Constant(), averaging=Lookahead(2, 0.9)
    )
    found = fit(net, (images, labels), recipe).network.graph.constants["linear_1.weight"]

    def stepped(w: np.ndarray) -> np.ndarray:
        scores = images.astype(np.float64) @ w.T
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return w - 0.5 * (shares - np.eye(2)).T @ images / 2

    start = np.ones((2, 4)) * [[1], [-1]]
    keep = 0.9**2 * (2 / 3) ** 3
    np.testing.assert_allclose(found, keep * start + (1 - keep) * stepped(stepped(start)), rtol=1e-5)
    ended = fit(net, (images, labels), dataclasses.replace(recipe, epochs=4)).network.graph.constants["linear_1.weight"]
    first = (1 - (keep := 0.9**2 * 0.5**3)) * stepped(stepped(start)) + keep * start
    np.testing.assert_allclose(ended, 0.81 * first + 0.19 * stepped(stepped(first)), rtol=1e-5)


# -- interruptions ---------------------------------------------------------------------------------------------------


def interrupted_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C arrive in a certain step."""
    update = Trainer._update

    def interrupting(self: Trainer, *arguments: Any) -> float:
        if self.step == step:
            raise KeyboardInterrupt
        return update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", interrupting)


@pytest.mark.parametrize("averaging", [None, EMA(0.9), SWA(0.25), Lookahead(3, 0.9)], ids=repr)
@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0.05, momentum=0.9),
        Adam(learning_rate=0.01),
        Muon(learning_rate=0.05, head_optimizer=SGD(learning_rate=0.01, momentum=0.9)),
    ],
    ids=lambda o: type(o).__name__,
)
def test_resumed_with_the_same_bits(
    optimizer: Any, averaging: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(FULL, optimizer=optimizer, averaging=averaging)
    net = bars.network(norm=True, dropout=True)
    undisturbed = fit(net, data(), recipe, validation=0.2, run_dir=tmp_path / "a")
    with monkeypatch.context() as patch:
        interrupted_after(2 * 5 + 3, patch)
        first = fit(net, data(), recipe, validation=0.2, run_dir=tmp_path / "b")
    assert first.ended == "interrupted"
    assert len(first.history) == 2
    again = fit(net, data(), recipe, validation=0.2, run_dir=tmp_path / "b", resume=True)
    assert bits(again) == bits(undisturbed)
    assert without_time(again.history) == without_time(undisturbed.history)
    for name in "ab":
        assert without_time(read_history(tmp_path / name / HISTORY)) == without_time(undisturbed.history)
    once_more = fit(net, data(), recipe, validation=0.2, run_dir=tmp_path / "b", resume=True)
    assert bits(once_more) == bits(undisturbed)


def test_ctrl_c_before_the_end_of_the_first_epoch_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(bars.network(), data(), RECIPE)


def test_resume_without_a_checkpoint_simply_starts(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    assert bits(fit(bars.network(), data(), recipe, run_dir=tmp_path / "new", resume=True)) == bits(
        fit(bars.network(), data(), recipe)
    )
    with pytest.raises(ConfigError, match="resume needs run"):
        fit(bars.network(), data(), recipe, resume=True)


def test_early_stopping_goes_back_to_the_best(tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        RECIPE,
        epochs=40,
        optimizer=SGD(learning_rate=0.2),
        schedule=Constant(),
        stopping=EarlyStopping(3, "val_accuracy"),
    )
    images, labels = bars.pictures(90, seed=1)
    fitted = fit(bars.network(), data(), recipe, validation=(images, labels), run_dir=tmp_path)
    assert fitted.ended == "early"
    accuracies = [row["val_accuracy"] for row in fitted.history]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == best + 1 + 3
    assert (fitted.network.predict(images) == fitted.network.classes_[labels]).mean() == accuracies[best]
    again = fit(bars.network(), data(), recipe, validation=(images, labels), run_dir=tmp_path, resume=True)
    assert bits(again) == bits(fitted)
    with pytest.raises(ConfigError, match="early stopping needs a validation part"):
        fit(bars.network(), data(), recipe)


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_divergence_keeps_the_last_good_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update = Trainer._update

    def exploding(self: Trainer, *arguments: Any) -> float:
        if self.step == 11:
            self.engine.parameters["dense.weight"][...] = np.inf
        return update(self, *arguments)

    good = fit(bars.network(), data(), dataclasses.replace(RECIPE, epochs=1, schedule=Constant()))
    monkeypatch.setattr(Trainer, "_update", exploding)
    recipe = dataclasses.replace(RECIPE, schedule=Constant())
    with pytest.raises(
        TrainingError, match=r"epoch 2, step 13.*rate \(it is 0.02\).*after epoch 1.*checkpoint"
    ) as error:
        fit(bars.network(), data(), recipe, run_dir=tmp_path)
    kept = error.value.network
    assert isinstance(kept, Network)
    assert {name: array.tobytes() for name, array in kept.graph.constants.items()} == bits(good)
    monkeypatch.undo()
    resumed = fit(bars.network(), data(), recipe, run_dir=tmp_path, resume=True)
    assert bits(resumed) == bits(fit(bars.network(), data(), recipe))


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_divergence_by_a_rate_that_is_too_high() -> None:
    recipe = dataclasses.replace(RECIPE, optimizer=SGD(learning_rate=1e25), schedule=Constant())
    with pytest.raises(TrainingError, match=r"epoch 1.*lower the learning rate.*no good weights yet") as error:
        fit(bars.network(), data(), recipe)
    assert error.value.network is None


def test_an_empty_class() -> None:
    images, labels = data()
    with pytest.raises(DataError, match=r"no image shows class slanted"):
        fit(bars.network(), Examples(images[labels < 2], labels[labels < 2], bars.CLASSES), RECIPE)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range(label: int) -> None:
    images, labels = data()
    labels[5] = label
    with pytest.raises(DataError, match=rf"image 5 has the label {label}, .*labels must be 0 to 2"):
        fit(bars.network(), (images, labels), RECIPE)
    with pytest.raises(DataError, match=rf"validation images: image 5 has the label {label}"):
        fit(bars.network(), data(), RECIPE, validation=(images, labels))


def test_data_that_changed_since_the_checkpoint(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(bars.network(), data(), recipe, run_dir=tmp_path)
    images, labels = data()
    images[3, 4, 4] ^= 1
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(DataError, match="the data set has changed since the checkpoint"):
        fit(bars.network(), (images, labels), recipe, run_dir=tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    # and so where the preprocessing of a new network follows from the images
    scaled = described(bars.network(), bars.CLASSES, Preprocess((8, 8), channels="gray", std=(0.5,)))
    with pytest.raises(DataError, match="the data set has changed since the checkpoint"):
        fit(scaled, (images, labels), dataclasses.replace(recipe, batch=9), run_dir=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "name"), [({"batch": 10}, "batch"), ({"optimizer": SGD()}, "optimizer"), ({"epochs": 9}, "epochs")]
)
def test_a_recipe_that_changed_since_the_checkpoint(change: dict[str, Any], name: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(bars.network(), data(), recipe, run_dir=tmp_path)
    with pytest.raises(ConfigError, match=f"was made with {name} = .* but now it is"):
        fit(bars.network(), data(), dataclasses.replace(recipe, **change), run_dir=tmp_path, resume=True)


def test_another_network_than_that_of_the_checkpoint(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(bars.network(), data(), recipe, run_dir=tmp_path)
    with pytest.raises(ConfigError, match="another network"):
        fit(bars.network(norm=True), data(), recipe, run_dir=tmp_path, resume=True)


@pytest.mark.parametrize("options", [{}, {"freeze": "flat"}, {"frozen_params": ["conv.weight"]}], ids=str)
def test_other_weights_than_those_that_the_run_began_with(options: dict[str, Any], tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    net = bars.network()
    (name,) = options.get("frozen_params", ["conv.weight"])
    changed = net.graph.constants | {name: net.graph.constants[name] * np.float32(2)}
    other = with_graph(net, Graph(net.graph.inputs, net.graph.nodes, changed, net.graph.outputs))
    fit(net, data(), recipe, run_dir=tmp_path, **options)
    with pytest.raises(ConfigError, match="made from a network of other weights"):
        fit(other, data(), recipe, run_dir=tmp_path, resume=True, **options)
    fit(net, data(), recipe, run_dir=tmp_path, resume=True, **options)


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(bars.network(), data(), recipe, run_dir=tmp_path)
    content = (tmp_path / CHECKPOINT).read_bytes()
    for damaged in (content[:-7], content[:30], b"", content.replace(b"cnnfast.checkpoint", b"cnnfast.checkpoinX")):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(ModelFileError, match="cannot be resumed"):
            fit(bars.network(), data(), recipe, run_dir=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 2, 0], r"have the shape \(N, 8, 8, 3\), but the network takes"),
        (np.zeros((4, 8, 8, 1), np.int32), [0, 1, 2, 0], r"must be uint8 or floats"),
        (np.full((4, 8, 8, 1), np.nan, np.float32), [0, 1, 2, 0], r"image 0 has a value that is not finite"),
        (np.zeros((4, 8, 8, 1), np.uint8), [0, 1, 2], r"there are 4 images, but 3 labels"),
        (np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, int), r"no images to learn from"),
        (np.zeros((4, 8, 8, 1), np.uint8), ["a", "b", "c", "a"], r"labels must be the numbers of classes"),
    ],
)
def test_images_that_do_not_fit(images: np.ndarray, labels: Any, message: str) -> None:
    with pytest.raises((InputError, DataError), match=message):
        fit(bars.network(), (images, labels), RECIPE)


# -- kinds of networks and of targets --------------------------------------------------------------------------------


def test_probabilities_as_targets_are_learned() -> None:
    images, labels = data(60)
    soft = np.eye(3, dtype=np.float32)[labels] * 0.7 + 0.1
    fitted = fit(bars.network(), (images, soft), dataclasses.replace(RECIPE, epochs=60, schedule=Constant()))
    assert np.abs(fitted.network.predict_proba(images) - soft).mean() < 0.05


@pytest.mark.parametrize("end", [[], [Sigmoid()]], ids=["scores", "sigmoid"])
def test_a_single_output_is_yes_or_no(end: list[Any]) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 4)).astype(np.float32)
    labels = (rows @ [1, -1, 2, 0.5] > 0).astype(int)
    net = Network.from_layers([Linear(np.zeros((1, 4)), np.zeros(1)), *end], (4,), classes=["cat"])
    fitted = fit(net, (rows, labels), dataclasses.replace(RECIPE, optimizer=AdamW(learning_rate=0.2)), validation=0.2)
    assert fitted.history[-1]["val_accuracy"] > 0.9
    assert fitted.network.classes_.tolist() == ["not cat", "cat"]
    found = fitted.network.predict(rows) == np.array(["not cat", "cat"])[labels]
    assert found.mean() > 0.9


def test_softmax_at_the_end_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((30, 4)).astype(np.float32), np.arange(30) % 3
    weight = rng.standard_normal((3, 4))
    fitted = [
        fit(Network.from_layers([Linear(weight), *end], (4,)), (rows, labels), RECIPE) for end in ([], [Softmax()])
    ]
    assert bits(fitted[0]) == bits(fitted[1])


# -- a frozen part ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("augment", [(), (Flip(),)], ids=["as they are", "mirrored"])
@pytest.mark.parametrize("layer", ["flat", "pool"])
def test_frozen_features_train_what_is_behind(layer: str, augment: tuple[Any, ...], tmp_path: Path) -> None:
    net = fit(bars.network(), data(), RECIPE).network.with_head(["a", "b", "c"], layer=layer)
    recipe = dataclasses.replace(RECIPE, augment=augment)
    fitted = fit(net, data(), recipe, validation=0.25, freeze=layer, cache=tmp_path)
    for name in ("conv.weight", "conv.bias"):
        assert (fitted.network.graph.constants[name] == net.graph.constants[name]).all()
    assert fitted.history[-1]["val_accuracy"] > 0.9
    assert len(list(tmp_path.iterdir())) == (3 if augment else 2)
    again = fit(net, data(), recipe, validation=0.25, freeze=layer, cache=tmp_path)
    assert bits(again) == bits(fitted) == bits(fit(net, data(), recipe, validation=0.25, freeze=layer))


def test_a_damaged_cache_is_computed_again(tmp_path: Path) -> None:
    first = fit(bars.network(), data(), RECIPE, freeze="flat", cache=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert bits(fit(bars.network(), data(), RECIPE, freeze="flat", cache=tmp_path)) == bits(first)


def test_what_cannot_be_frozen() -> None:
    with pytest.raises(cnnfast.GraphError, match=r"no layer 'pools' to freeze up to.*pool"):
        fit(bars.network(), data(), RECIPE, freeze="pools")
    with pytest.raises(cnnfast.GraphError, match=r"nothing to train behind 'dense'"):
        fit(bars.network(), data(), RECIPE, freeze="dense")
    with pytest.raises(ConfigError, match=r"only have one Flip, but has Shift"):
        fit(bars.network(), data(), dataclasses.replace(RECIPE, augment=(Shift(),)), freeze="flat")


# -- the parts -------------------------------------------------------------------------------------------------------


def test_split_takes_the_same_part_of_each_class() -> None:
    images, labels = data(100)
    whole = Examples(images, labels)
    kept, aside = split(whole, 0.1, seed=3)
    assert len(kept) + len(aside) == 100
    assert np.bincount(aside.labels).tolist() == [3, 3, 3]
    both = np.concatenate([kept.images, aside.images]).reshape(100, -1)
    assert sorted(map(bytes, both)) == sorted(map(bytes, images.reshape(100, -1)))
    with pytest.raises(DataError, match="too few"):
        split(Examples(images[:4], labels[:4]), 0.3)


def folder_of_pictures(root: Path, *names: str) -> Path:
    """Make one folder per class, each with pictures of one brightness."""
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(6):
            image = np.full((8, 8, 3), 40 + 160 * number + i, np.uint8)
            Image.fromarray(image).save(root / name / f"{i}.png")
    return root


def test_a_data_set_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its classes are found by name among the network's, which has them in another order."""
    layers = [Conv2d(4, 3), Flatten(), Linear(2)]
    net = Network.build(layers, (3, 8, 8), classes=["dog", "cat"], preprocess=Preprocess(size=(8, 8)))
    dataset = open_dataset(folder_of_pictures(tmp_path / "photos", "cats", "dogs"))
    recipe = Recipe(epochs=8, batch=4, optimizer=AdamW(learning_rate=0.02))
    fitted = fit(net, dataset, recipe, validation=dataset)
    assert fitted.history[-1]["val_accuracy"] == 1
    bright = np.full((1, 8, 8, 3), 200, np.uint8)
    assert fitted.network.predict(np.concatenate([bright, bright - 160])).tolist() == ["dog", "cat"]


def test_pictures_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    photos = folder_of_pictures(tmp_path / "photos", "cat", "dog")
    (photos / "cat" / "3.png").write_bytes(b"no picture")
    net = Network.build([Flatten(), Linear(2)], (3, 8, 8), classes=["cat", "dog"], preprocess=Preprocess((8, 8)))
    with pytest.warns(UserWarning, match=r"1 of 12 pictures cannot be read and are left out; the first: .*3\.png"):
        fit(net, open_dataset(photos), Recipe(epochs=1))


def test_a_path_is_no_data_set() -> None:
    with pytest.raises(InputError, match=r"cnnfast.open_dataset\('photos', split='train'\)"):
        fit(bars.network(), "photos", RECIPE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"optimizer": "adamw"}, r"optimizer must be one of SGD, .*, as in optimizer=AdamW\(\), but is 'adamw'"),
        ({"optimizer": AdamW}, "optimizer must be one of .*, but is the class AdamW"),
        ({"schedule": "cosine"}, r"schedule must be one of .*, as in schedule=Cosine\(\), but is 'cosine'"),
        ({"averaging": "ema"}, "averaging must be one of EMA, SWA, Lookahead"),
        ({"loss": "mse"}, "loss must be one of SoftmaxCrossEntropy"),
        ({"stopping": 5}, r"stopping must be one of EarlyStopping, as in stopping=EarlyStopping\(\), but is 5"),
        ({"epochs": 2.5}, "epochs must be an integer from 1 up, but is 2.5"),
    ],
    ids=str,
)
def test_a_recipe_refuses_what_would_fail_later(settings: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Recipe(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (np.array(["a", "b", "c"]), "classes.index"),
        (np.eye(3, dtype=int), "argmax"),
        (np.zeros((3, 1), int), "reshape"),
        (np.zeros(3), "astype"),
    ],
    ids=["names", "one-hot", "a column", "floats"],
)
def test_labels_of_another_form_are_refused_with_the_way_out(labels: np.ndarray, hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        Examples(np.zeros((3, 4), np.float32), labels)


@pytest.mark.parametrize(
    ("images", "hint"),
    [(np.zeros((3, 8, 8), np.uint8), r"images\[..., None\]"), (np.zeros((3, 8, 8, 1), np.int64), "np.uint8")],
    ids=["without channels", "integers"],
)
def test_images_of_another_form_are_refused_with_the_way_out(images: np.ndarray, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        Examples(images, np.zeros(3, int))


def test_images_with_channels_first_are_refused_with_the_way_out() -> None:
    images, labels = data()
    with pytest.raises(InputError, match=r"images.transpose\(0, 2, 3, 1\)"):
        fit(bars.network(), (images.transpose(0, 3, 1, 2), labels), RECIPE)


def test_numbers_of_numpy_are_those_of_python(tmp_path: Path) -> None:
    recipe = Recipe(epochs=np.int64(1), batch=np.int32(16), optimizer=AdamW(learning_rate=np.float32(0.5)))  # type: ignore[arg-type]
    assert recipe == Recipe(epochs=1, batch=16, optimizer=AdamW(learning_rate=0.5))
    fit(bars.network(), data(), recipe, run_dir=tmp_path)
    assert json.loads(json.dumps(recipe.to_dict()))["optimizer"]["learning_rate"] == 0.5


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with claimed(tmp_path / "run"), pytest.raises(OutputError, match="another run is at work here"):
        fit(bars.network(), data(), RECIPE, run_dir=tmp_path / "run")
    fit(bars.network(), data(), RECIPE, run_dir=tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CHECKPOINT, HISTORY]
