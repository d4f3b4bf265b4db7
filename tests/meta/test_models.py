"""The shipped networks: each file is the one its card describes, gives its golden outputs and its accuracy."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from formats.shared_cifar10 import tiles_of

from cnnfast import Network, open_dataset
from cnnfast.errors import ModelFileError
from cnnfast.runtime.shipped import folder, list_models

LEAST = {
    "cifar10-cs61c": 80.0,
    "cifar10-cs61c-int8": 80.0,
    "cifar10-lenet": 70.0,
    "cifar10-resnet": 94.0,
    "cifar10-resnet-int8": 94.0,
    "mnist-mlp": 98.0,
}
"""The accuracy in percent that each network was made for."""

INTEGERS = [name for name in LEAST if name.endswith("-int8")]
"""Networks of eight-bit integers; without the end of its name, each is the network of floats that it was made of."""


def card(name: str) -> str:
    """Return the card of a network."""
    return (folder() / f"{name}.md").read_text()


def stated_accuracy(name: str) -> float:
    """Return the accuracy on a card, in percent."""
    found = re.search(r"\*\*([\d.]+)%\*\*", card(name))
    assert found, f"the card of {name} states no accuracy"
    return float(found[1])


def test_all_networks_are_shipped() -> None:
    assert list_models() == sorted(LEAST)


@pytest.mark.parametrize("name", LEAST)
def test_card_describes_the_file(name: str) -> None:
    digest = hashlib.sha256((folder() / f"{name}.safetensors").read_bytes()).hexdigest()
    assert digest in card(name)
    assert stated_accuracy(name) >= LEAST[name]
    assert Network.load(name).license == "BSD-3-Clause"


@pytest.mark.parametrize("name", LEAST)
def test_golden_outputs(name: str) -> None:
    golden = json.loads((folder() / f"{name}.golden.json").read_text())
    network = Network.load(name)
    images = np.random.default_rng(golden["seed"]).integers(0, 256, golden["shape"], dtype=np.uint8)
    scores = network.graph.by_name[network.graph.outputs[0]].inputs[0]
    for found, stated in (
        (network.truncate(scores).forward(images), golden["logits"]),
        (network.predict_proba(images), golden["probabilities"]),
    ):
        scale = np.abs(stated).max()
        np.testing.assert_allclose(found, stated, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("name", INTEGERS)
def test_scores_of_integers_are_the_golden_ones_to_the_bit(name: str) -> None:
    golden = json.loads((folder() / f"{name}.golden.json").read_text())
    network = Network.load(name)
    images = np.random.default_rng(golden["seed"]).integers(0, 256, golden["shape"], dtype=np.uint8)
    scores = network.truncate(network.graph.by_name[network.graph.outputs[0]].inputs[0]).forward(images)
    np.testing.assert_array_equal(scores, np.array(golden["logits"], np.float32))


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_lose_little_and_take_a_third_of_the_bytes_at_most(name: str) -> None:
    origin = name.removesuffix("-int8")
    assert stated_accuracy(name) >= stated_accuracy(origin) - 0.3
    assert f"{stated_accuracy(origin):.2f}% of the same images" in card(name)
    in_float = sum(4 * array.size for array in Network.load(origin).graph.constants.values())
    assert 3 * size_of(name) <= in_float
    assert size_of("cifar10-resnet-int8") <= 50_000


@pytest.mark.parametrize(("name", "most"), [("cifar10-resnet", 1.02), ("mnist-mlp", 1.02)])
def test_the_large_networks_take_few_bytes_a_weight(name: str, most: float) -> None:
    weights = sum(array.size for array in Network.load(name).graph.constants.values())
    assert size_of(name) <= most * weights
    assert Network.load(name).notes["rounded"] in card(name)


def size_of(name: str) -> int:
    """Return the size of the file of a network, in bytes."""
    return (folder() / f"{name}.safetensors").stat().st_size


@pytest.mark.parametrize("name", LEAST)
def test_accuracy_on_the_card(name: str, shared_data: Path) -> None:
    network = Network.load(name)
    images, labels = cifar10_test(shared_data) if name.startswith("cifar10") else mnist_test(shared_data)
    assert len(images) == 10_000
    right = (network.classes_[labels] == network.predict(images)).mean()
    assert f"{right:.2%}" == f"{stated_accuracy(name):.2f}%"


def cifar10_test(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images of CIFAR-10 and their labels."""
    folder = shared_data / "cifar10"
    images = tiles_of(shared_data, "test_batch")
    return images, np.fromfile(folder / "test_batch.labels", np.uint8)


def mnist_test(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images of MNIST and their labels."""
    dataset = open_dataset(shared_data / "mnist")
    assert dataset.labels is not None
    return np.concatenate([batch.images for batch in dataset.batches(2000)]), dataset.labels


def test_a_network_that_is_not_shipped_is_answered_with_those_that_are() -> None:
    with pytest.raises(ModelFileError, match=r"resnet-50.*cifar10-resnet"):
        Network.load("resnet-50")
