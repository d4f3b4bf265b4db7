"""Draw docs/img/peers.svg from bench/results/peers.json: every engine in units of the best peer."""

from __future__ import annotations

import marked
import matplotlib.pyplot as plt
from peer_figures import OURS, Figures, load

TARGET = marked.ROOT / "docs" / "img" / "peers.svg"

COLORS = {
    OURS: "#c8102e",
    "onnxruntime": "#222222",
    "openvino": "#555555",
    "mnn": "#808080",
    "ncnn": "#a0a0a0",
    "litert": "#bdbdbd",
    "torch": "#d8d8d8",
}

WIDTH = 0.8 / len(COLORS)


def draw(runs: dict[str, Figures]) -> plt.Figure:
    """Return a group of bars for each network."""
    figure, axes = plt.subplots(figsize=(11, 4), layout="constrained")
    for place, (engine, color) in enumerate(COLORS.items()):
        bars = [(i + place * WIDTH, height(run, engine)) for i, run in enumerate(runs.values())]
        axes.bar(*zip(*bars, strict=True), WIDTH, label=engine, color=color)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set_xticks([i + 0.4 - WIDTH / 2 for i in range(len(runs))], [run.title for run in runs.values()], fontsize=8)
    axes.set_ylabel("images/s, one thread, best peer = 1")
    figure.legend(ncols=len(COLORS), fontsize=8, frameon=False, loc="outside upper center")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def height(run: Figures, engine: str) -> float:
    """Return the length of a bar, 0 where an engine was not measured."""
    if engine not in run.engines:
        return 0
    rate = run.ours() if engine == OURS else run.best(engine)[0]
    return rate / run.best(run.best_peer())[0]


def main() -> None:
    """Draw and save; the same results give the same file."""
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    TARGET.parent.mkdir(exist_ok=True)
    draw(load(threads=1)).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
