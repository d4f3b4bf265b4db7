"""Measure what ``cnnfast train --replay`` keeps of what a network knew, and what it learns.

    python bench/replay.py ../shared/data/cifar10-binary ../shared/data/catsdogs

Classes: a network (architecture cs61c) learns eight classes of CIFAR-10 from every second of their training images,
remembers 100 of each, and then gets images of ships and trucks. Corrections: `cifar10-resnet` remembers 100 training
images of each class, and gets photographs of cats and dogs. Each with the default recipe of `cnnfast train`, with
replay, and with the new pictures alone, by the same head that has a place for all classes. Nothing that is measured was
learned. Writes bench/results/replay.json; tools/replay_table.py writes the table of docs/train-a-network.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import machine
import numpy as np

from cnnfast import Network, Preprocess, open_dataset
from cnnfast.architectures import build
from cnnfast.train import (
    AdamW,
    Examples,
    Flip,
    Recipe,
    Shift,
    fit,
    fit_scaling,
    initialize,
    load_examples,
    remember,
    replay,
)

RESULTS = machine.FOLDER / "results" / "replay.json"

KNOWN = 8
CLASSES = 10
NEW = (20, 100, 1000)
"""New images of each of two classes."""

PHOTOGRAPHS = (40, 400)


def right(head: Network, examples: Examples, classes: int | None = None) -> float:
    """Return the share of features that a head puts into their class, among all classes or the first ones."""
    found = head.predict_proba(examples.images)[:, :classes].argmax(axis=1)
    return round(float((found == examples.labels).mean()), 4)


def features_of(net: Network, parts: dict[str, Examples]) -> dict[str, Examples]:
    """Return the features of some examples, which every head is asked about."""
    return {name: Examples(net.features(part.images), part.labels) for name, part in parts.items()}


def some(examples: Examples, labels: range, count: int) -> Examples:
    """Return the first images of some classes, that many of each."""
    return examples.take(np.concatenate([np.flatnonzero(examples.labels == label)[:count] for label in labels]))


def after(base: Network, new: Examples, parts: dict[str, Examples]) -> dict[str, dict[str, float]]:
    """Return how often the network is right before and after, with and without what it remembers."""
    mixed = replay(base, new, validation=None)
    alone = base.features(new.images)
    assert mixed.head.class_names is not None
    places = {name: place for place, name in enumerate(mixed.head.class_names)}
    assert new.classes is not None
    numbers = np.array([places[new.classes[label]] for label in new.labels])
    # as probabilities, because a class without an image is refused otherwise
    truth = np.eye(len(places), dtype=np.float32)[numbers]
    heads = {
        "before": mixed.head,
        "new pictures alone": fit(mixed.head, Examples(alone, truth), progress=False).network,
        "replay": fit(mixed.head, mixed.examples, progress=False).network,
    }
    return {
        way: {name: right(head, part, len(base.classes_) if way == "before" else None) for name, part in parts.items()}
        for way, head in heads.items()
    }


def eight(training: Examples) -> Network:
    """Return a network that has learned the first eight classes."""
    assert training.classes is not None
    images = training.take(np.flatnonzero(training.labels < KNOWN)[::2])
    graph = initialize(build("cs61c", classes=KNOWN))
    rule = fit_scaling(images.images, Preprocess(size=(32, 32)))
    net = Network.from_graph(graph, classes=training.classes[:KNOWN], preprocess=rule)
    recipe = Recipe(epochs=12, optimizer=AdamW(learning_rate=0.004), augment=[Flip(), Shift(2)])
    return remember(fit(net, (images.images, images.labels), recipe, progress=False).network, _pair(images))


def _pair(examples: Examples) -> tuple[object, object]:
    return examples.images, examples.labels


def main() -> None:
    """Measure and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cifar", type=Path, help="CIFAR-10, as cnnfast download cifar10 fetches it")
    parser.add_argument("photographs", type=Path, help="the folder of training_set and test_set, of cats and dogs")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    training, test = (load_examples(open_dataset(args.cifar, split=part), None)[0] for part in ("train", "test"))
    parts = {
        "known": some(test, range(KNOWN), len(test)),
        "new": some(test, range(KNOWN, CLASSES), len(test)),
        "all": test,
    }
    net, found = eight(training), {}
    asked = features_of(net, parts)
    for count in NEW:
        found[f"{count} each of 2 new classes"] = after(net, some(training, range(KNOWN, CLASSES), count), asked)
        print(count, found[f"{count} each of 2 new classes"], flush=True)
    net = remember(Network.load("cifar10-resnet"), _pair(training))
    folders = [open_dataset(args.photographs / part, net.class_names) for part in ("training_set", "test_set")]
    taught, photographs = (load_examples(folder, net.preprocess, False)[0] for folder in folders)
    asked = features_of(net, {"known": test, "new": photographs})
    for count in PHOTOGRAPHS:
        new = taught.take(np.linspace(0, len(taught) - 1, count).astype(int))
        found[f"{count} photographs"] = after(net, new, asked)
        print(count, found[f"{count} photographs"], flush=True)
    result = {"header": machine.facts(), "remembered": str(net.remembered), "found": found}
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
