"""The CS61C network on real images: what the original program computed, by the naive kernels and by the fast ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.glibc_rand import draw
from formats.shared_cifar10 import records, substituted, tiles_of
from kernels.engines import execute

from cnnfast import Network
from cnnfast.formats import cifar10
from cnnfast.graph import Graph
from cnnfast.plan import make_plan

CAT = cifar10.CLASSES.index("cat")

NAIVE_PROBABILITY = 5e-6
"""The naive kernels add in the order of the original; its text has six decimals, so half of this is its rounding."""

FAST_PROBABILITY = 1.5e-5
"""Winograd's share of a probability; measured over the test batch: 1.13e-5."""


@pytest.fixture(scope="module")
def net(shared_data: Path) -> Network:
    return Network.load(shared_data / "cs61c" / "snapshot")


@pytest.fixture(scope="module")
def test_batch(shared_data: Path) -> np.ndarray:
    return tiles_of(shared_data, "test_batch")


def naive(net: Network, graph: Graph, pixels: np.ndarray) -> np.ndarray:
    """Return the output of a graph by the textbook loops."""
    assert net.preprocess is not None
    (result,) = execute(make_plan(graph, "nchw"), [pixels.transpose(0, 3, 1, 2)], 2, net.preprocess.affine())
    return result


@pytest.mark.parametrize("engine", ["naive", "fast"])
@pytest.mark.parametrize("record", [1, 2, 3, 4])
def test_all_volumes_of_the_original(net: Network, shared_data: Path, record: int, engine: str) -> None:
    pixels = records(shared_data, [record])
    lines = (shared_data / "cs61c" / "ref" / f"{record}.txt").read_text().split()
    assert len(lines) == 12
    for index, line in enumerate(lines):
        name, *fields = line.split(",")
        sx, sy, depth = map(int, fields[:3])
        volume = np.array(fields[3:], np.float64).reshape(sx, sy, depth).transpose(2, 1, 0)
        if index == 0:
            assert net.preprocess is not None
            ours = net.preprocess(pixels)
        elif engine == "naive":
            ours = naive(net, net.graph.cut([f"layer{index}"]), pixels)
        else:
            ours = net.truncate(f"layer{index}").forward(pixels)
        np.testing.assert_allclose(
            ours.reshape(volume.shape), volume, rtol=0, atol=1e-5 * np.abs(volume).max(), err_msg=name
        )


@pytest.fixture(scope="module")
def drawn(shared_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The images of the original's longest run, its probabilities of a cat, and which images are the genuine ones."""
    numbers = draw(24_000)
    genuine = ~np.isin(numbers, list(substituted(shared_data)))
    lines = (shared_data / "cs61c" / "ref" / "par24000.txt").read_text().split()
    return records(shared_data, numbers), np.array([float(line.split(",")[1]) for line in lines]), genuine


def assert_cats(ours: np.ndarray, drawn: tuple[np.ndarray, np.ndarray, np.ndarray], allowed: float) -> None:
    """Compare the probabilities of a cat over the genuine ones of the first images."""
    _, stated, genuine = (a[: len(ours)] for a in drawn)
    assert genuine.mean() > 0.99
    np.testing.assert_allclose(ours[genuine, CAT], stated[genuine], rtol=0, atol=allowed)


@pytest.mark.parametrize("images", [600, pytest.param(24_000, marks=pytest.mark.slow)])
def test_cat_probabilities_by_the_naive_kernels(
    net: Network, drawn: tuple[np.ndarray, np.ndarray, np.ndarray], images: int
) -> None:
    assert_cats(naive(net, net.graph, drawn[0][:images]), drawn, NAIVE_PROBABILITY)


def test_cat_probabilities_by_the_fast_kernels(net: Network, drawn: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    assert_cats(net.predict_proba(drawn[0]), drawn, FAST_PROBABILITY)


def test_the_cats_of_the_test_batch(net: Network, shared_data: Path, test_batch: np.ndarray) -> None:
    """75.71 % of all labels; of cats found at P > 0.5: 374 right, 136 wrong, 626 missed."""
    names = np.array(cifar10.CLASSES)
    truth = names[np.fromfile(shared_data / "cifar10" / "test_batch.labels", np.uint8)]
    probabilities = net.predict_proba(test_batch)
    assert (net.classes_[probabilities.argmax(axis=1)] == truth).sum() == 7571
    assert (net.predict(test_batch[:500]) == names[probabilities[:500].argmax(axis=1)]).all()
    found, cat = probabilities[:, CAT] > 0.5, truth == "cat"
    assert (int((found & cat).sum()), int((found & ~cat).sum()), int((~found & cat).sum())) == (374, 136, 626)


def test_probabilities_of_the_test_batch(net: Network, shared_data: Path, test_batch: np.ndarray) -> None:
    stated = np.load(shared_data / "cs61c" / "test_batch_probs_float64.npy")
    np.testing.assert_allclose(net.predict_proba(test_batch), stated, rtol=0, atol=FAST_PROBABILITY)


def test_the_javascript_file_gives_the_same_bits(net: Network, shared_data: Path, test_batch: np.ndarray) -> None:
    script = Network.load(shared_data / "convnetjs" / "cifar10_snapshot.json")
    np.testing.assert_array_equal(script.forward(test_batch), net.forward(test_batch))


def test_bytes_and_floats_give_the_same(net: Network, test_batch: np.ndarray) -> None:
    """The preprocessing is folded into the loading of bytes, where it is rounded once instead of twice."""
    assert net.preprocess is not None
    images = test_batch[:33]
    values = net.preprocess(images)
    np.testing.assert_allclose(net.forward(images), net.forward(values, layout="nchw"), rtol=0, atol=FAST_PROBABILITY)
