"""Ours in eight-bit integers."""

from __future__ import annotations

from collections.abc import Mapping

from integer_networks import check_exact, integer_network
from networks import Bench

from peers.ways import Way

PACKAGES = ("numpy",)

FLOAT = "cnnfast"


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of cnnfast, after a look at the exact reference."""
    net = integer_network(bench.id)
    check_exact(net, bench.pictures(batch), few=min(batch, 2))
    return {
        "predict_proba": lambda pictures: net.predict_proba(pictures, threads=threads),
        "compiled": net.compile(batch=batch, threads=threads),
    }
