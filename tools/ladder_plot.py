"""Draw docs/img/ladder.svg from bench/results/ladder.json: a bar for each rung, images/s on a logarithmic axis."""

from __future__ import annotations

import json
from typing import Any

import marked
import matplotlib.pyplot as plt
from ladder_table import RESULTS, STEPS

TARGET = marked.ROOT / "docs" / "img" / "ladder.svg"


def draw(run: dict[str, Any]) -> plt.Figure:
    """Return the bars, the slowest on top, each with its speed-up over the naive loops."""
    rungs = run["rungs"]
    naive = next(row["median"] for row in rungs if row["rung"] == "naive")
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    bars = axes.barh(range(len(rungs)), [row["median"] for row in rungs], color="#c8102e", height=0.65)
    axes.bar_label(
        bars, [f"{row['median']:,.0f}   ({row['median'] / naive:.3g} ×)" for row in rungs], padding=4, fontsize=8
    )
    axes.set_yticks(range(len(rungs)), [STEPS[row["rung"]].format(**row) for row in rungs], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=6 * max(row["median"] for row in rungs))
    axes.set_xlabel(f"images/s, {run['title']} network (× naive)", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    TARGET.parent.mkdir(exist_ok=True)
    draw(json.loads(RESULTS.read_text())).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
