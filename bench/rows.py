"""The rows of the tables that the benchmarks under pytest print."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAIVE, NUMPY = "naive", "NumPy"

HEADER = f"{'':30} {'':24} {'µs/image':>10} {'median':>10} {'kernel':>10} {'GFLOP/s':>9} {'% peak':>7} {'× naive':>8}"
NOTES = (
    "µs/image: of the fastest run, layout changes at both ends included; kernel: without them, with NumPy all of it.\n"
    "The rest: of the kernel. % peak: of what multiply-adds of the same instruction set reach on one core here, now;\n"
    "naive and NumPy: of the widest set. Convolutions count as direct ones, so Winograd may exceed the peak."
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
        """Return speed, share of the peak, and speed-up over the naive kernels of the same subject.

        What moves values and computes nothing has no speed, and an op that vanishes when it is planned takes no time.
        """
        gflops = row.flops / row.kernel / 1e9 if row.flops and row.kernel else None
        peak = self.peaks[row.isa] * row.threads
        naive = next((r.kernel for r in self.rows if (r.subject, r.way) == (row.subject, NAIVE)), None)
        return {
            "isa": row.isa,
            "gflops": gflops and round(gflops, 2),
            "percent_of_peak": gflops and round(100 * gflops / peak, 1),
            "times_naive": round(naive / row.kernel, 2) if naive and row.kernel else None,
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
        cells = [(facts["gflops"], 9), (facts["percent_of_peak"], 7), (facts["times_naive"], 8)]
        speeds = " ".join(" " * width if value is None else f"{value:{width}.1f}" for value, width in cells)
        return f"{row.subject if named else '':30} {row.way:24} {times} {speeds}".rstrip()
