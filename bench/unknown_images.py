"""Measure how well networks tell what is none of their classes, and how right their probabilities are.

    python bench/unknown_images.py CIFAR MNIST PHOTOGRAPHS

The test images of CIFAR-10 are known; MNIST digits, noise, and photographs of other things (foolbox, scikit-image) are
not. PHOTOGRAPHS, of cats and dogs, are known, but far larger than what was learned from. Writes
bench/results/unknown_images.json, of which tools/unknown_table.py makes the tables of docs/probabilities.md, and
tools/reliability_plot.py its figure.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import machine
import numpy as np
from sklearn.metrics import roc_auc_score

from cnnfast import Network, open_dataset
from cnnfast.calibration.api import scores_of, temperature_of
from cnnfast.calibration.familiarity import KEPT, familiarity_of, threshold_in
from cnnfast.calibration.likelihood import probabilities_of
from cnnfast.calibration.measures import Reliability
from cnnfast.calibration.scores import SOFTMAX, ending_of
from cnnfast.cli.demo_pictures import demo_pictures
from cnnfast.images.pictures.decode import read_picture
from cnnfast.ops import Array

RESULTS = machine.FOLDER / "results" / "unknown_images.json"

NETWORKS = ("cifar10-resnet", "cifar10-resnet-int8", "cifar10-cs61c", "cifar10-lenet")
ODD = 2000
"""Digits, and images of noise."""
LEARNED = 3000
"""Training images that others are compared with by their features."""
BATCH = 500
ODD_KINDS = ("digits", "noise", "other things")
NEIGHBOR = 10


def main() -> None:
    """Measure and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("cifar10", "mnist", "photographs"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    images, labels = labeled(args.cifar10, "test")
    kinds = {"test": images, "digits": digits(args.mnist), "noise": noise(), "other things": other_things()}
    kinds["cats and dogs"], _ = labeled(args.photographs, "test")
    networks = {}
    scores = {}
    for name in NETWORKS:
        net = Network.load(name)
        scores[name] = {kind: scores_of(net, ending_of(net), found, "nhwc") for kind, found in kinds.items()}
        networks[name] = measured(net, scores[name], labels)
        print(name, json.dumps(networks[name]["own_threshold"]), flush=True)
    learned, learned_labels = labeled(args.cifar10, "train", LEARNED)
    net = Network.load(NETWORKS[0])
    features = {kind: features_of(net, found) for kind, found in kinds.items() if kind in ("test", *ODD_KINDS)}
    ways = compared(scores[NETWORKS[0]], features, features_of(net, learned), learned_labels)
    counts = {kind: len(found) for kind, found in kinds.items()}
    result = {"header": machine.facts(), "images": counts, "kept": KEPT, "networks": networks, "ways": ways}
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def labeled(folder: Path, split: str, count: int | None = None) -> tuple[Array, Array]:
    """Return the images of a data set as bytes (N, 32, 32, 3), and their labels."""
    dataset = open_dataset(folder, split=split)
    dataset = dataset if count is None else dataset.part(count)
    batches = list(dataset.batches(1000, Network.load(NETWORKS[0]).preprocess))
    return np.concatenate([batch.images for batch in batches]), np.concatenate([batch.labels for batch in batches])


def digits(folder: Path) -> Array:
    """Return digits of MNIST as gray 32 by 32 images, with a black border of two pixels."""
    dataset = open_dataset(folder, split="test").part(ODD)
    gray = np.concatenate([batch.images for batch in dataset.batches(1000)]).reshape(-1, 28, 28)
    return np.repeat(np.pad(gray, ((0, 0), (2, 2), (2, 2)))[..., None], 3, axis=3)


def noise() -> Array:
    """Return images whose bytes are drawn evenly."""
    return np.random.default_rng(0).integers(0, 256, (ODD, 32, 32, 3), dtype=np.uint8)


def other_things() -> Array:
    """Return the photographs of the demo that show none of the ten classes."""
    rule = Network.load(NETWORKS[0]).preprocess
    return np.stack([read_picture(known.path, rule) for known in demo_pictures() if known.label is None])


def measured(net: Network, scores: Mapping[str, Array], labels: Array) -> dict[str, Any]:
    """Return the reliability of a network, and what its own threshold calls unknown."""
    # without its temperature a network has the scores that it has learned
    learned = temperature_of(net) * scores["test"]
    least = threshold_in(net.notes)
    familiar = {kind: familiarity_of(found) for kind, found in scores.items()}
    assert least is not None
    return {
        "temperature": temperature_of(net),
        "as_learned": reliable(learned, labels),
        "calibrated": reliable(scores["test"], labels),
        "known_above": least,
        "own_threshold": {kind: round(float((found <= least).mean()), 4) for kind, found in familiar.items()},
        "familiarity": separated(familiar),
    }


def reliable(scores: Array, labels: Array) -> dict[str, Any]:
    """Return how right the probabilities of the test images are."""
    found = Reliability()
    found.add(labels, probabilities_of(scores, SOFTMAX))
    return {"accuracy": found.accuracy, **found.to_dict()}


def separated(values: Mapping[str, Array]) -> dict[str, list[float]]:
    """Return for each kind the AUROC against the test images, and the share called unknown if `KEPT` of those stay."""
    known = values["test"]
    least = np.quantile(known, 1 - KEPT)
    return {
        kind: [round(auroc(known, found), 4), round(float((found <= least).mean()), 4)]
        for kind, found in values.items()
        if kind in ODD_KINDS
    }


def auroc(known: Array, unknown: Array) -> float:
    """Return how often a known image has a greater value than an unknown one."""
    is_known = np.repeat([1, 0], [len(known), len(unknown)])
    return float(roc_auc_score(is_known, np.concatenate([known, unknown])))


def compared(
    scores: Mapping[str, Array], features: Mapping[str, Array], learned: Array, labels: Array
) -> dict[str, Any]:
    """Return how well other measures than familiarity separate the same images."""
    near, means = Neighbors(learned), ClassMeans(learned, labels)
    highest = {kind: probabilities_of(found, SOFTMAX).max(axis=1) for kind, found in scores.items()}
    return {
        "familiarity": separated({kind: familiarity_of(found) for kind, found in scores.items()}),
        "highest score": separated({kind: found.max(axis=1) for kind, found in scores.items()}),
        "highest probability": separated(highest),
        f"nearest of {LEARNED:,} training features": separated({k: near.closeness(f) for k, f in features.items()}),
        "distance to class means, shared covariance": separated({k: means.closeness(f) for k, f in features.items()}),
    }


def features_of(net: Network, images: Array) -> Array:
    """Return what the last dense layer reads, float64 (N, F)."""
    parts = [net.features(images[at : at + BATCH], layout="nhwc") for at in range(0, len(images), BATCH)]
    return np.concatenate(parts).astype(np.float64)


class Neighbors:
    """The cosine to one of the nearest training images: the tenth, since the first may be a fluke."""

    def __init__(self, features: Array) -> None:
        self._features = unit(features)

    def closeness(self, features: Array) -> Array:
        """Return the cosine of each image."""
        cosines = unit(features) @ self._features.T
        return np.partition(cosines, -NEIGHBOR, axis=1)[:, -NEIGHBOR]


class ClassMeans:
    """The distance of Mahalanobis to the nearest mean of a class (Lee et al., 2018)."""

    def __init__(self, features: Array, labels: Array) -> None:
        self._means = np.stack([features[labels == label].mean(axis=0) for label in np.unique(labels)])
        rest = features - self._means[labels]
        covariance = rest.T @ rest / len(rest)
        # a little of the mean variance on the diagonal, so that it can be inverted
        ridge = 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        self._precision = np.linalg.inv(covariance + ridge)

    def closeness(self, features: Array) -> Array:
        """Return the negative distance of each image."""
        rests = (features - mean for mean in self._means)
        return -np.min([((rest @ self._precision) * rest).sum(axis=1) for rest in rests], axis=0)


def unit(features: Array) -> Array:
    """Return rows of length 1."""
    return features / np.linalg.norm(features, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
