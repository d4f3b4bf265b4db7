"""Draw docs/img/reliability.svg from bench/results/unknown_images.json: how right probabilities are, before and after.

python tools/reliability_plot.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import marked
import matplotlib.pyplot as plt

RESULTS = marked.ROOT / "bench" / "results" / "unknown_images.json"
TARGET = marked.ROOT / "docs" / "img" / "reliability.svg"

NETWORK = "cifar10-resnet"
BLUE, ORANGE, GRAY = "#1f6fb4", "#d95f02", "#888888"


def draw(found: Mapping[str, Any]) -> plt.Figure:
    """Return a panel for the network as it has learned, and one with its temperature."""
    figure, panels = plt.subplots(
        2, 2, figsize=(7.4, 4.4), layout="constrained", sharex=True, sharey="row", height_ratios=(4, 1)
    )
    titles = ("as it has learned", f"with its temperature, {found['temperature']:g}")
    for (upper, lower), title, way in zip(panels.T, titles, ("as_learned", "calibrated"), strict=True):
        rows, error = found[way]["reliability"], found[way]["expected_calibration_error"]
        left, width = [row["above"] for row in rows], [row["to"] - row["above"] for row in rows]
        said, right = ([row[name] for row in rows] for name in ("confidence", "accuracy"))
        upper.bar(left, right, width, align="edge", color=BLUE, alpha=0.85, edgecolor="white", label="share right")
        upper.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--")
        upper.plot(said, right, color=ORANGE, marker="o", markersize=4, linewidth=0, label="mean probability")
        upper.set_title(f"{title}\nexpected calibration error {error:.3f}", fontsize=10)
        counts = [row["images"] for row in rows]
        lower.bar(left, counts, width, align="edge", color=GRAY, edgecolor="white")
        lower.set_xlabel("probability of the label")
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
    _label(panels)
    return figure


def _label(panels: Sequence[Sequence[plt.Axes]]) -> None:
    (first, _), (count, _) = panels
    first.set_ylabel("share that is right")
    count.set_ylabel("images")
    first.legend(frameon=False, loc="upper left", fontsize=8)


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    draw(json.loads(RESULTS.read_text())["networks"][NETWORK]).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
