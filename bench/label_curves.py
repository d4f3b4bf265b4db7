"""Measure how accurate a head is after some number of labels, chosen by chance or as ``cnnfast learn`` asks for them.

    python bench/label_curves.py ../shared/data/catsdogs

The folder has a part to learn from and one to test with. Labels come in rounds, as a person gives them: those that
`next_to_label` names are looked up, and the head learns again. Writes bench/results/label_curves.json, from which
tools/label_plot.py draws docs/img/label-curves.svg; see docs/photographs.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine
import numpy as np

from cnnfast import Network, open_dataset
from cnnfast.learn.choose import next_to_label
from cnnfast.learn.features import picture_features
from cnnfast.learn.head import cross_validated
from cnnfast.train import feature_cache

RESULTS = machine.FOLDER / "results" / "label_curves.json"

ROUNDS = (20, 35, 50, 75, 100, 150, 200, 300, 400, 500)
"""How many labels there are after each round."""

MARKS = (20, 50, 100, 200, 500)


def main() -> None:
    """Measure and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="a folder with a part to learn from and a part to test with")
    parser.add_argument("--base", default="cifar10-resnet")
    parser.add_argument("--repetitions", type=int, default=10, help="each with other random numbers")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    net = Network.load(args.base)
    pool, test = (Part(net, args.data, split) for split in ("train", "test"))
    curves = []
    for how in ("random", "chosen"):
        runs = [curve(how, pool, test, seed) for seed in range(args.repetitions)]
        for labels in MARKS:
            row: dict[str, Any] = {"how": how, "labels": labels}
            for view in ("windows", "whole"):
                accuracies = [run[labels][view] for run in runs]
                row[view] = [round(float(np.mean(accuracies)), 4), round(float(np.std(accuracies)), 4)]
            print(row, flush=True)
            curves.append(row)
    everything = cross_validated(pool.windows, pool.labels).head
    result = {
        "header": machine.facts(),
        "data": args.data.name,
        "base": args.base,
        "repetitions": args.repetitions,
        "pictures": [len(pool.labels), len(test.labels)],
        "all_labels": {view: round(accuracy(everything, test, view), 4) for view in ("windows", "whole")},
        "curves": curves,
    }
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


class Part:
    """The features of one part of the data set: over all views, and of the whole picture, as a network sees it."""

    def __init__(self, net: Network, folder: Path, split: str) -> None:
        dataset = open_dataset(folder, split=split)
        paths = list(dataset.source.paths)  # type: ignore[attr-defined]
        found = picture_features(paths, net, cache=feature_cache())
        if found.failed or dataset.labels is None:
            raise SystemExit(f"{folder}: {len(found.failed)} pictures cannot be read")
        self.windows = found.features
        self.whole = picture_features(paths, net, views="whole", cache=feature_cache()).features
        self.labels = dataset.labels


def curve(how: str, pool: Part, test: Part, seed: int) -> dict[int, dict[str, float]]:
    """Return the accuracies on the test part after each number of labels of `MARKS`."""
    order = np.random.default_rng(seed).permutation(len(pool.labels))
    labeled = np.array([], np.int64)
    probabilities, found = None, {}
    for labels in ROUNDS:
        more = labels - len(labeled)
        chosen = order[len(labeled) : labels]
        if how == "chosen":
            chosen = np.array(next_to_label(pool.windows, labeled, probabilities, more, seed))
        labeled = np.concatenate([labeled, chosen])
        head = cross_validated(pool.windows[labeled], pool.labels[labeled]).head
        probabilities = head.probabilities(pool.windows)
        if labels in MARKS:
            found[labels] = {view: accuracy(head, test, view) for view in ("windows", "whole")}
    return found


def accuracy(head: Any, part: Part, view: str) -> float:
    """Return the share of a part that a head puts into its class."""
    return float((head.probabilities(getattr(part, view)).argmax(axis=1) == part.labels).mean())


if __name__ == "__main__":
    main()
