"""Measure what the shipped networks of floats lose when their weights are stored in fewer bytes.

    python bench/stored_weights.py CIFAR MNIST --floats FOLDER

Prints the table of docs/model-file.md, and writes bench/results/stored_weights.json. What a shipped file has rounded
already cannot be undone: its float32 weights, as training wrote them, are taken from FOLDER if they are there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import machine
import numpy as np

from cnnfast import Network, open_dataset
from cnnfast.calibration import Reliability
from cnnfast.data.base import Dataset
from cnnfast.formats.narrow import DTYPES, NOTE
from cnnfast.ops import Array

RESULTS = machine.FOLDER / "results" / "stored_weights.json"
NETWORKS = ("cifar10-resnet", "cifar10-cs61c", "cifar10-lenet", "mnist-mlp")


def main() -> None:
    """Measure, print the table and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("cifar10", "mnist"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--floats", type=Path, default=Path(), help="folder of files NAME.safetensors of float32")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    rows = []
    for name in NETWORKS:
        floats = args.floats / f"{name}.safetensors"
        net = Network.load(floats if floats.exists() else name)
        dataset = open_dataset(getattr(args, name.partition("-")[0]), classes=net.classes_)
        rows += measured(name, net, dataset)
    print(table(rows))
    args.output.write_text(json.dumps({"machine": machine.facts(), "rows": rows}, indent=1) + "\n")


def measured(name: str, net: Network, dataset: Dataset) -> list[dict[str, Any]]:
    """Return what a network is worth as it is, and stored as each dtype."""
    rows, exact = [], None
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (None, *DTYPES):
            path = Path(folder) / f"{dtype}.safetensors"
            net.save(path, dtype=dtype)
            stored = Network.load(path)
            found, right, error = answers(stored, dataset)
            exact = found if exact is None else exact
            content = path.read_bytes()
            rows.append(
                {
                    "network": name,
                    "dtype": dtype or "float32",
                    "rounded": stored.notes.get(NOTE),
                    "bytes": len(content),
                    "compressed": len(zlib.compress(content, 9)),
                    "images": len(found),
                    "right": right,
                    "changed": int((found != exact).sum()),
                    "calibration_error": error,
                }
            )
    return rows


def answers(net: Network, dataset: Dataset) -> tuple[Array, int, float]:
    """Return the class of each image, how many are right, and the expected calibration error."""
    found, right, reliability = [], 0, Reliability()
    for batch in dataset.batches(1000, net.preprocess):
        probabilities = net.predict_proba(batch.images)
        found.append(probabilities.argmax(axis=1))
        right += int((found[-1] == batch.labels).sum())
        reliability.add(batch.labels, probabilities)
    return np.concatenate(found), right, reliability.calibration_error


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = ["| network | stored as | bytes | compressed | right | labels that changed | calibration error |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        sizes = f"{row['bytes']:,} | {row['compressed']:,}"
        worth = f"{row['right'] / row['images']:.2%} | {row['changed']} | {row['calibration_error']:.4f}"
        lines.append(f"| `{row['network']}` | {row['dtype']} | {sizes} | {worth} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
