"""Draw docs/img/load.svg from bench/results/load.json: time of load and plan against the number of nodes."""

from __future__ import annotations

import json
import math
from typing import Any

import marked
import matplotlib.pyplot as plt
from load_table import RESULTS

TARGET = marked.ROOT / "docs" / "img" / "load.svg"

COLORS = {"chain": "#c8102e", "wide sum": "#1f77b4", "cut": "#2ca02c"}
STYLES = {"cnnfast": "-", "onnx": "--"}


def draw(rows: list[dict[str, Any]]) -> plt.Figure:
    """Return a line for each form and format on logarithmic axes, with n log n to compare."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for form, color in COLORS.items():
        for format_, style in STYLES.items():
            line = [row for row in rows if (row["form"], row["format"]) == (form, format_)]
            axes.plot(
                [row["nodes"] for row in line],
                [row["load"] + row["plan"] for row in line],
                style,
                color=color,
                marker="o",
                markersize=3,
                label=f"{form}, {format_}",
            )
    sizes = sorted({row["nodes"] for row in rows})
    least = min(row["load"] + row["plan"] for row in rows if row["nodes"] == sizes[0])
    scale = least / 2 / (sizes[0] * math.log(sizes[0]))
    axes.plot(sizes, [scale * n * math.log(n) for n in sizes], ":", color="#888888", label="n log n")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("nodes", fontsize=9)
    axes.set_ylabel("seconds to load and plan", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    TARGET.parent.mkdir(exist_ok=True)
    draw(json.loads(RESULTS.read_text())["rows"]).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
