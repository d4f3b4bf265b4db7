"""Draw docs/img/quantization.svg: signal to noise of each layer alone in integers, of the networks that are shipped so.

python tools/quantization_plot.py CIFAR
"""

from __future__ import annotations

import argparse

import marked
import matplotlib.pyplot as plt
import numpy as np

from cnnfast import Network, quantize
from cnnfast.data import open_dataset
from cnnfast.quantization import QuantizeResult

TARGET = marked.ROOT / "docs" / "img" / "quantization.svg"
NETWORKS = ("cifar10-resnet", "cifar10-cs61c")
IMAGES = 500


def calibrated(name: str, data: str) -> QuantizeResult:
    """Return a network in integers, made as ``cnnfast quantize`` makes it."""
    net = Network.load(name)
    batches = open_dataset(data, None, "train").part(IMAGES).batches(IMAGES, net.preprocess)
    return quantize(net, np.concatenate([batch.images for batch in batches]), layout="nhwc")


def draw(results: dict[str, QuantizeResult]) -> plt.Figure:
    """Return a panel for each network: its layers from the first to the last, and its scores."""
    figure, panels = plt.subplots(
        1, len(results), figsize=(9, 3), layout="constrained", sharex=True, width_ratios=[1] * len(results)
    )
    for axes, (name, result) in zip(panels, results.items(), strict=True):
        order = [node.name.removesuffix(".sums") for node in result.network.graph.nodes]
        rows = sorted(result.sensitivities, key=lambda row: order.index(row.layer))
        bars = {row.layer: row.signal_to_noise for row in rows} | {"all: scores": result.signal_to_noise}
        colors = ["#003262"] * len(rows) + ["#c8102e"]
        drawn = axes.barh(range(len(bars)), list(bars.values()), color=colors, height=0.65)
        axes.bar_label(drawn, fmt="%.0f", padding=3, fontsize=8)
        axes.set_yticks(range(len(bars)), list(bars), fontsize=8)
        axes.invert_yaxis()
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("signal to noise, dB", fontsize=8)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Calibrate, draw and save; the same data give the same file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="CIFAR", help="folder with the binary files of CIFAR-10")
    data = parser.parse_args().data
    plt.rcParams["svg.hashsalt"] = "cnnfast"
    TARGET.parent.mkdir(exist_ok=True)
    draw({name: calibrated(name, data) for name in NETWORKS}).savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
