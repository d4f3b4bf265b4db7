"""Ours in eight-bit integers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from integer_networks import calibration_pictures, check_exact
from networks import BENCHES, Bench

from cnnfast import Network, quantize
from peers.ways import Way

PACKAGES = ("numpy",)

FLOAT = "cnnfast"


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of cnnfast, after a look at the exact reference."""
    net = _network(bench.id)
    check_exact(net, bench.pictures(batch), few=min(batch, 2))
    return {
        "predict_proba": lambda pictures: net.predict_proba(pictures, threads=threads),
        "compiled": net.compile(batch=batch, threads=threads),
    }


@cache
def _network(id: str) -> Network:
    bench = BENCHES[id]
    return quantize(bench.network(), calibration_pictures(bench), threads=1).network
