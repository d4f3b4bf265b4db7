"""Networks that remember pictures, and learn new ones without forgetting them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from train import bars

from cnnfast import Network, calibrate
from cnnfast.errors import ConfigError, DataError, GraphError, UnsupportedError
from cnnfast.formats import Model
from cnnfast.formats.remembered import Remembered
from cnnfast.graph import Graph, Node
from cnnfast.layers import Flatten, Linear, Relu, Sigmoid
from cnnfast.ops import Softmax
from cnnfast.train import AdamW, Examples, Flip, Recipe, Shift, fit, remember, replay
from cnnfast.train.replaying import _extended

RECIPE = Recipe(epochs=15, batch=32, optimizer=AdamW(learning_rate=0.02))


def new_pictures(count: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Return bright pictures with a dark bar, which no bars are."""
    images, labels = bars.pictures(count, seed)
    return 255 - images, labels


@pytest.fixture(scope="module")
def old() -> Network:
    """Return a network that knows bars, and remembers 30 of each kind."""
    known = bars.pictures(300, 0)
    return remember(fit(bars.network(), known, replace(RECIPE, epochs=6)).network, known, per_class=30)


def learned(mixed: object, recipe: Recipe = RECIPE, **options: object) -> Network:
    return mixed.finish(fit(mixed.head, mixed.examples, recipe, **options).network)  # type: ignore[attr-defined]


def right(net: Network, images: np.ndarray, names: list[str]) -> float:
    return float((net.predict(images) == np.array(names)).mean())


def test_what_is_remembered_is_what_the_last_layer_reads(old: Network) -> None:
    images, labels = bars.pictures(300, 0)
    assert old.remembered is not None
    assert np.bincount(old.remembered.numbers).tolist() == [30, 30, 30]
    features = old.features(images).astype(np.float16)
    for row, number in zip(old.remembered.features, old.remembered.numbers, strict=True):
        assert number in labels[(features == row).all(axis=1)]


def test_a_class_without_a_picture_would_be_forgotten() -> None:
    images, labels = bars.pictures(30, 0)
    with pytest.raises(DataError, match="no picture shows steep; a class that is not remembered would be forgotten"):
        remember(bars.network(), (images[labels != 1], labels[labels != 1]))
    with pytest.raises(DataError, match="has the label 3, but the network has 3 classes"):
        remember(bars.network(), (images[:4], np.arange(4)))


def test_what_cannot_be_remembered() -> None:
    with pytest.raises(UnsupportedError, match="a network of integers cannot be trained"):
        remember(Network.load("cifar10-cs61c-int8"), (np.zeros((10, 32, 32, 3), np.uint8), np.arange(10)))
    images, labels = bars.pictures(3, 0)
    large = Network.from_layers([Flatten(), Relu(), Linear(np.eye(64)[:3])], (1, 8, 8))
    with pytest.raises(UnsupportedError, match=r"a feature of these pictures is [0-9.]+e"):
        remember(large, (images.astype(np.float32) * 1e4, labels))
    with pytest.raises(GraphError, match="no layer before a last dense one"):
        remember(Network.from_layers([Linear(np.eye(2))], (2,)), (np.eye(2, dtype=np.float32), np.arange(2)))


def test_old_classes_stay_known_and_new_ones_become_so(old: Network) -> None:
    images, _ = new_pictures(60)
    new = Examples(images, np.zeros(60, np.int64), ("dark",))
    mixed = replay(old, new)
    assert mixed.held is not None
    assert len(mixed.held) == 6
    assert mixed.repeated == (1, 2)
    better = learned(mixed)
    assert better.classes_.tolist() == [*bars.CLASSES, "dark"]
    test, labels = bars.pictures(150, 99)
    names = [bars.CLASSES[label] for label in labels]
    assert right(better, test, names) > right(old, test, names) - 0.05
    assert right(better, new_pictures(50, 8)[0], ["dark"] * 50) > 0.9
    # the same head with the new pictures alone
    alone = Examples(mixed.examples.images[:54], np.eye(4, dtype=np.float32)[np.full(54, 3)])
    assert right(mixed.finish(fit(mixed.head, alone, RECIPE).network), test, names) < 0.5


def test_the_head_begins_with_what_the_network_knows(old: Network) -> None:
    images, labels = new_pictures(30)
    mixed = replay(old, Examples(images, labels, ("slanted", "fox", "Flat")), validation=None)
    assert mixed.held is None
    assert mixed.head.class_names == (*bars.CLASSES, "fox")
    # slanted and Flat are classes of the network
    assert set(mixed.examples.labels[:30].tolist()) == {0, 2, 3}
    start = mixed.finish(mixed.head)
    test, _ = bars.pictures(100, 5)
    ours = start.predict_proba(test)[:, :3]
    np.testing.assert_allclose(ours / ours.sum(axis=1, keepdims=True), old.predict_proba(test), atol=1e-6)
    assert mixed.recalled(mixed.head, 3) == float(
        (old.predict(bars.pictures(300, 0)[0])[_places(old)] == np.array(bars.CLASSES)[old.remembered.numbers]).mean()
    )


def _places(net: Network) -> np.ndarray:
    assert net.remembered is not None
    features = net.features(bars.pictures(300, 0)[0]).astype(np.float16)
    return np.array([np.flatnonzero((features == row).all(axis=1))[0] for row in net.remembered.features])


def test_the_new_network_remembers_too_and_can_learn_again(old: Network) -> None:
    images, labels = new_pictures(30)
    once = learned(replay(old, Examples(images, labels * 0, ("dark",)), validation=None))
    assert once.remembered is not None
    assert np.bincount(once.remembered.numbers).tolist() == [30, 30, 30, 30]
    twice = learned(replay(once, Examples(images // 2, labels * 0, ("dim",)), validation=None))
    assert twice.classes_.tolist() == [*bars.CLASSES, "dark", "dim"]
    assert right(twice, new_pictures(30, 8)[0], ["dark"] * 30) > 0.8


def test_of_a_known_class_at_most_half_of_what_is_remembered_is_new() -> None:
    known = Remembered(np.zeros((30, 2), np.float16), np.repeat([0, 1], [20, 10]).astype(np.int32))
    more = _extended(known, np.ones((120, 2), np.float32), np.repeat([0, 1, 2], 40))
    assert np.bincount(more.numbers).tolist() == [20, 20, 20]
    assert [int(more.features[more.numbers == n, 0].sum()) for n in range(3)] == [10, 10, 20]
    few = _extended(known, np.ones((3, 2), np.float32), np.array([0, 1, 1]))
    assert np.bincount(few.numbers).tolist() == [20, 12]


def test_a_flip_is_learned_as_a_second_picture(old: Network) -> None:
    images, labels = new_pictures(60)
    new = Examples(images, labels, bars.CLASSES)
    both = replay(old, new, Recipe(augment=[Flip()]), validation=None).examples.images[:120]
    np.testing.assert_array_equal(both[60:], old.features(images[:, :, ::-1]))
    with pytest.raises(ConfigError, match="the recipe may only have one Flip"):
        replay(old, new, Recipe(augment=[Flip(), Shift(1)]))


def test_a_single_picture_of_a_class_is_learned_not_set_aside(old: Network) -> None:
    images, labels = new_pictures(21)
    labels[labels == 2] = 0
    labels[0] = 2
    mixed = replay(old, Examples(images, labels, bars.CLASSES), validation=0.2)
    assert mixed.held is not None
    assert 2 not in mixed.held.labels
    assert len(mixed.held) + len(mixed.examples.images) // max(mixed.repeated) > 21
    alone = replay(old, Examples(images[:1], np.array([1]), bars.CLASSES))
    assert alone.held is None


def test_bits_do_not_depend_on_threads_or_interruptions(old: Network, tmp_path: Path) -> None:
    images, labels = new_pictures(40)
    new = Examples(images, labels, ("x", "y", "z"))
    mixed = replay(old, new)
    nets = [learned(mixed, validation=mixed.held, threads=n) for n in (1, 2)]
    fit(mixed.head, mixed.examples, RECIPE, validation=mixed.held, run_dir=tmp_path, report=_Stop(4))
    resumed = learned(replay(old, new), validation=mixed.held, run_dir=tmp_path, resume=True)
    for net in (nets[1], resumed):
        for name, array in nets[0].graph.constants.items():
            np.testing.assert_array_equal(net.graph.constants[name], array)


class _Stop:
    """Interrupt a run after some epochs, as Ctrl-C does."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def __call__(self, row: dict[str, float]) -> None:
        if row["epoch"] == self._epoch:
            raise KeyboardInterrupt


def test_a_calibrated_network_still_remembers(old: Network) -> None:
    images, labels = bars.pictures(150, 4)
    assert calibrate(old, images, labels).network.remembered is old.remembered


def test_a_trained_body_remembers_nothing(old: Network) -> None:
    assert fit(old, bars.pictures(30, 1), Recipe(epochs=1)).network.remembered is None


def test_a_network_with_one_output_gets_one_for_each_of_its_classes() -> None:
    images, labels = bars.pictures(90, 0)
    rng = np.random.default_rng(0)
    layers = [Flatten(), Linear(rng.normal(size=(16, 64)) / 8, np.zeros(16)), Relu(), Linear(rng.normal(size=(1, 16)))]
    net = Network.from_layers(layers, (1, 8, 8), classes=["flat"], preprocess=bars.network().preprocess)
    net = remember(net, (images, (labels == 0).astype(int)))
    mixed = replay(net, (images[:9], np.arange(9) % 2))
    assert mixed.head.class_names == ("not flat", "flat")
    np.testing.assert_allclose(mixed.finish(mixed.head).predict_proba(images), net.predict_proba(images), atol=1e-6)


def test_what_cannot_learn_with_a_replay_is_said(old: Network) -> None:
    images, labels = new_pictures(9)
    with pytest.raises(ConfigError, match=r"remembers no pictures, .*`cnnfast remember MODEL DATA"):
        replay(bars.network(), (images, labels))
    with pytest.raises(DataError, match="label 5, but there are 3 classes"):
        replay(old, (images, labels + 3))
    with pytest.raises(DataError, match="not probabilities"):
        replay(old, (images, np.eye(3, dtype=np.float32)[labels]))
    unnamed = Network(Model(old.graph, old.preprocess, remembered=old.remembered))
    with pytest.raises(ConfigError, match="has names of classes, but the network has numbers only"):
        replay(unnamed, Examples(images, labels, ("a", "b", "c")))
    assert replay(unnamed, (images, labels)).head.class_names == ("0", "1", "2")


def test_an_end_without_place_for_classes_is_refused(old: Network) -> None:
    images, labels = new_pictures(9)
    end = old.graph.by_name[old.graph.outputs[0]]
    assert isinstance(end.op, Softmax)
    each = Graph(
        old.graph.inputs,
        (*(n for n in old.graph.nodes if n is not end), Node("each", Sigmoid().op, end.inputs)),
        old.graph.constants,
        ("each",),
    )
    with pytest.raises(UnsupportedError, match="each class on its own"):
        replay(Network(Model(each, old.preprocess, bars.CLASSES, remembered=old.remembered)), (images, labels))
