"""Draw docs/img/label-curves.svg from bench/results/label_curves.json: accuracy against the number of labels."""

from __future__ import annotations

import json
from typing import Any

import marked
import matplotlib.pyplot as plt

RESULTS = marked.ROOT / "bench" / "results" / "label_curves.json"
TARGET = marked.ROOT / "docs" / "img" / "label-curves.svg"

NAMES = {"chosen": "as `cnnfast learn` asks", "random": "random choice"}
COLORS = {"chosen": "#1f6fb4", "random": "#d95f02"}
GRAY = "#666666"


def draw(result: dict[str, Any]) -> plt.Figure:
    """Return a line with its deviation for each way to choose."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for how, name in NAMES.items():
        rows = [row for row in result["curves"] if row["how"] == how]
        labels = [row["labels"] for row in rows]
        means, deviations = ([100 * row["windows"][i] for row in rows] for i in (0, 1))
        axes.errorbar(labels, means, deviations, color=COLORS[how], marker="o", markersize=4, capsize=3, label=name)
        for x, y in zip(labels, means, strict=True):
            above = how == "chosen"
            place = {"xytext": (6, 5 if above else -5), "textcoords": "offset points"}
            axes.annotate(f"{y:.1f}", (x, y), va="bottom" if above else "top", fontsize=8, color=COLORS[how], **place)
    everything = 100 * result["all_labels"]["windows"]
    axes.axhline(everything, color=GRAY, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"all {result['pictures'][0]:,} labels: {everything:.1f}", (20, everything), (0, 3), color=GRAY, fontsize=8,
        textcoords="offset points",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
    axes.minorticks_off()
    axes.set_xlabel("labels")
    axes.set_ylabel(f"% of {result['pictures'][1]:,} test pictures right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    draw(json.loads(RESULTS.read_text())).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
