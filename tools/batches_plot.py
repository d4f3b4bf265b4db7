"""Draw docs/img/batches.svg from bench/results/batches.json: the time of one call against the number of images."""

from __future__ import annotations

import json
import math
from typing import Any

import marked
import matplotlib.pyplot as plt

RESULTS = marked.ROOT / "bench" / "results" / "batches.json"
TARGET = marked.ROOT / "docs" / "img" / "batches.svg"

COLORS = ("#c8102e", "#1f77b4", "#2ca02c")


def draw(runs: list[dict[str, Any]]) -> plt.Figure:
    """Return one panel for each network: for each number of threads what was chosen, and the best partition as dots."""
    networks = list(dict.fromkeys(run["network"] for run in runs))
    columns = min(4, len(networks))
    rows = math.ceil(len(networks) / columns)
    figure, panels = plt.subplots(rows, columns, figsize=(3 * columns, 2.4 * rows), layout="constrained", squeeze=False)
    for axes, network in zip(panels.flat, networks, strict=False):
        for color, run in zip(COLORS, (run for run in runs if run["network"] == network), strict=False):
            images = [row["images"] for row in run["rows"]]
            axes.plot(images, [row["best"] / 1000 for row in run["rows"]], ".", color=color, markersize=3, alpha=0.5)
            label = f"{run['threads']} thread{'s' if run['threads'] > 1 else ''}"
            axes.plot(images, [row["chosen"] / 1000 for row in run["rows"]], color=color, linewidth=1, label=label)
        axes.set_title(network, fontsize=9)
        axes.set_xticks([1, 16, 32, 48, 64])
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels.flat[len(networks) :]:
        axes.axis("off")
    panels[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("images in a call", fontsize=9)
    figure.supylabel("milliseconds", fontsize=9)
    return figure


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    TARGET.parent.mkdir(exist_ok=True)
    draw(json.loads(RESULTS.read_text())["runs"]).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
