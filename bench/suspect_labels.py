"""Measure how many wrong labels are among the first that ``cnnfast review --by suspect`` shows.

    python bench/suspect_labels.py ../shared/data/cifar10-binary

The data are the test images of CIFAR-10, whose labels were not learned; 191 of 10,000 get a wrong one. They are found
by heads that learned from the other images with their labels, wrong ones included, and by the probabilities of the
network itself. Writes bench/results/suspect_labels.json; see docs/photographs.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import machine
import numpy as np

from cnnfast import Network, open_dataset
from cnnfast.images.pictures.decode import fit_images
from cnnfast.learn.head import cross_validated
from cnnfast.learn.suspects import believed
from cnnfast.learn.views import decoding_of, views_of

RESULTS = machine.FOLDER / "results" / "suspect_labels.json"

WRONG, LOOKED_AT = 191, (191, 400)


def main() -> None:
    """Measure and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="CIFAR-10, as cnnfast download cifar10 fetches it")
    parser.add_argument("--model", default="cifar10-resnet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    net = Network.load(args.model)
    assert net.preprocess is not None
    dataset = open_dataset(args.data, split="test")
    images = np.concatenate([batch.images for batch in dataset.batches(1000)])
    rng = np.random.default_rng(args.seed)
    wrong = rng.permutation(len(images))[:WRONG]
    labels = np.array(dataset.labels)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, WRONG)) % 10
    views = views_of(fit_images(images, decoding_of("windows", net.preprocess)), "windows", net.preprocess)
    features = np.mean([net.features(view) for view in views], axis=0)
    heads = cross_validated(features, labels)
    assert heads.probabilities is not None
    ways = {"heads": heads.probabilities, "network": net.predict_proba(images)}
    found = {}
    for way, probabilities in ways.items():
        order = np.argsort(believed(probabilities, labels).given, kind="stable")
        found[way] = {str(first): int(np.isin(wrong, order[:first]).sum()) for first in LOOKED_AT}
        print(way, found[way], flush=True)
    result = {"header": machine.facts(), "model": args.model, "images": len(images), "wrong": WRONG, "found": found}
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
