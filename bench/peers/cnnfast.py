"""Ours, through the public interface that users call."""

from __future__ import annotations

from collections.abc import Mapping

from networks import Bench

from peers.ways import Way

PACKAGES = ("numpy",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of cnnfast: the method for every day, and a function made for this size of batch."""
    net = bench.network()
    return {
        "predict_proba": lambda pictures: net.predict_proba(pictures, threads=threads),
        "compiled": net.compile(batch=batch, threads=threads),
    }
