"""Compare each network's scores with the float64 reference: the largest difference, relative to the output's scale."""

from __future__ import annotations

import argparse

import numpy as np
from networks import BENCHES, Bench

from cnnfast.graph import evaluate


def relative_error(bench: Bench, images: int) -> tuple[float, float]:
    """Return the largest difference divided by the largest score, and the standard deviation of the scores."""
    net, pictures = bench.network(), bench.pictures(images)
    (output,) = net.graph.outputs
    parts = [evaluate(net.graph, bench.preprocess(part[None], np.float64))[output] for part in pictures]
    truth = np.concatenate(parts)
    return float(np.abs(net.forward(pictures) - truth).max() / np.abs(truth).max()), float(truth.std())


def main() -> None:
    """Print one line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=BENCHES, default=list(BENCHES), metavar="ID")
    parser.add_argument("--images", type=int, default=32)
    arguments = parser.parse_args()
    for id in arguments.networks:
        bench = BENCHES[id]
        error, scale = relative_error(bench, arguments.images)
        print(f"{id}  {bench.title:22}  error {error:.1e} of the largest score (their deviation: {scale:.3g})")


if __name__ == "__main__":
    main()
