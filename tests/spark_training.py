"""Training over a cluster, compared with that of one process."""

from __future__ import annotations

from typing import Any

from train import bars

from cnnfast.spark import fit
from cnnfast.train import AdamW, FitResult, Recipe, Shift
from cnnfast.train import fit as train

RECIPE = Recipe(epochs=2, batch=310, optimizer=AdamW(learning_rate=0.02), augment=(Shift(1),), seed=3)


def same(one: FitResult, other: FitResult) -> bool:
    """Return whether weights and history are equal, but for the time that it took."""

    def bits(fitted: FitResult) -> object:
        timed = ("seconds", "images_per_second")
        rows = [{k: v for k, v in row.items() if k not in timed} for row in fitted.history]
        return {name: array.tobytes() for name, array in fitted.network.graph.constants.items()}, rows, fitted.ended

    return bits(one) == bits(other)


def trains(spark: Any) -> bool:
    """Train over a cluster and in this process, and return whether weights and history are equal."""
    net, data = bars.network(dropout=True), bars.pictures(620, seed=0)
    return same(fit(spark, net, data, RECIPE, parts=2), train(net, data, RECIPE))
