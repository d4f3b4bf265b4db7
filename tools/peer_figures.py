"""What the table and the plot of engines take from the results of bench/bench_peers.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "peers.json"

OURS = "cnnfast"

WIDTHS = ("portable", "sse2", "neon", "avx2", "avx512")
"""Instruction sets, the widest last."""

MANY = (256, 1024)
"""Batch sizes at which our own figure must hold."""


@dataclass(frozen=True)
class Figures:
    """The images/s of one run: one network, one number of threads.

    Attributes
    ----------
    run : dict
        As it is in the results file.
    """

    run: dict[str, Any]

    @property
    def title(self) -> str:
        """The name of the network."""
        return str(self.run["title"])

    @property
    def engines(self) -> list[str]:
        """The engines that were measured, ours first."""
        return list(dict.fromkeys(row["engine"] for row in self.run["rows"]))

    @property
    def peers(self) -> list[str]:
        """The other engines."""
        return [name for name in self.engines if name != OURS]

    def rate(self, engine: str, batch: int) -> float | None:
        """Return the median images/s, or None where it was not measured."""
        found = (row["median"] for row in self.run["rows"] if (row["engine"], row["batch"]) == (engine, batch))
        return next(found, None)

    def best(self, engine: str) -> tuple[float, int]:
        """Return the images/s of an engine at its own best batch size, and that size."""
        return max((row["median"], row["batch"]) for row in self.run["rows"] if row["engine"] == engine)

    def best_peer(self) -> str:
        """Return the fastest of the others, each at its own best batch size."""
        return max(self.peers, key=self.best)

    def ours(self) -> float:
        """Return our images/s at the worse of the large batches, or at our best where those took too long."""
        rates = [rate for batch in MANY if (rate := self.rate(OURS, batch)) is not None]
        return min(rates) if rates else self.best(OURS)[0]

    def ratio(self) -> float:
        """Return ours divided by the best peer's."""
        return self.ours() / self.best(self.best_peer())[0]


def load(threads: int, isa: str | None = None, path: Path = RESULTS) -> dict[str, Figures]:
    """Return the runs with that many threads by network; by default those of the widest instruction set there is."""
    stored = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    runs = [run for run in stored if run["threads"] == threads]
    isa = isa or max((run["isa"] for run in runs), key=WIDTHS.index, default=None)
    return {run["network"]: Figures(run) for run in runs if run["isa"] == isa}
