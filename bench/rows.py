"""The rows of the tables that the benchmarks under pytest print."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAIVE = "naive"

HEADER = f"{'':30} {'':24} {'µs/image':>10} {'median':>10} {'kernel':>10} {'GFLOP/s':>9} {'% peak':>7} {'× naive':>8}"
NOTES = (
    "µs/image: of the fastest run, layout changes at both ends included; kernel: without them.\n"
    "The rest: of the kernel; convolutions are counted as direct, so Winograd may exceed the FMA peak."
)


@dataclass(frozen=True)
class Row:
    """One subject, run in one way; times are seconds an image."""

    subject: str
    way: str
    isa: str
    best: float
    median: float
    kernel: float
    flops: int
    threads: int = 1


@dataclass
class Table:
    """What one session measured.

    Attributes
    ----------
    peaks : dict of str to float
        GFLOP/s that one core can reach, by instruction set.
    rows : list of Row
    """

    peaks: dict[str, float]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> dict[str, Any]:
        """Add a row and return what follows from it, for pytest-benchmark's ``extra_info``."""
        self.rows.append(row)
        return self.facts(row)

    def facts(self, row: Row) -> dict[str, Any]:
        """Return speed, share of the peak, and speed-up over the naive kernels of the same subject."""
        gflops = row.flops / row.kernel / 1e9
        naive = next((r.kernel for r in self.rows if (r.subject, r.way) == (row.subject, NAIVE)), None)
        return {
            "isa": row.isa,
            "gflops": round(gflops, 2),
            "percent_of_peak": round(100 * gflops / (self.peaks[row.isa] * row.threads), 1),
            "times_naive": naive and round(naive / row.kernel, 2),
        }

    def __str__(self) -> str:
        lines, before = [HEADER], None
        for row in self.rows:
            lines.append(self._line(row, named=row.subject != before))
            before = row.subject
        return "\n".join([*lines, NOTES])

    def _line(self, row: Row, named: bool) -> str:
        facts = self.facts(row)
        times = " ".join(f"{1e6 * seconds:10.2f}" for seconds in (row.best, row.median, row.kernel))
        speed = f"{facts['gflops']:9.1f} {facts['percent_of_peak']:7.1f}"
        gain = "" if facts["times_naive"] is None else f"{facts['times_naive']:8.1f}"
        return f"{row.subject if named else '':30} {row.way:24} {times} {speed} {gain}".rstrip()
