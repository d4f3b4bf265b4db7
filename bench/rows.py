"""The rows of the tables that the benchmarks under pytest print."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAIVE, NUMPY, FLOAT = "naive", "NumPy", "float"

FACTS = (
    ("gflops", "GFLOP/s", 9, 1),
    ("percent_of_peak", "% peak", 7, 1),
    ("times_naive", "× naive", 8, 1),
    ("times_float", "× float", 8, 2),
)
"""The columns behind the times: what `Table.facts` calls them, heading, width and decimals."""

TIMES = " ".join(f"{name:>10}" for name in ("µs/image", "median", "kernel"))
HEADER = " ".join([" " * 59, TIMES, *(f"{name:>{width}}" for _, name, width, _ in FACTS)])
NOTES = (
    "µs/image: of the fastest run, layout changes at both ends included; kernel: without them, with NumPy all of it.\n"
    "The rest: of the kernel. % peak: of what multiply-adds of the same instruction set reach on one core here, now;\n"
    "naive and NumPy: of the widest set. Convolutions count as direct ones, so Winograd may exceed the peak.\n"
    "Integers: % of the peak of products of bytes; × float: of the medians, of runs in turn."
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
        GFLOP/s that one core can reach, by instruction set, and GOP/s by way to multiply bytes ("avx512-vnni").
    rows : list of Row
    """

    peaks: dict[str, float]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> dict[str, Any]:
        """Add a row and return what follows from it, for pytest-benchmark's ``extra_info``."""
        self.rows.append(row)
        return self.facts(row)

    def facts(self, row: Row) -> dict[str, Any]:
        """Return speed, share of the peak, and speed-up over the naive kernels and over floats, of the same subject.

        What moves values and computes nothing has no speed, and an op that vanishes when it is planned takes no time.
        """
        gflops = row.flops / row.kernel / 1e9 if row.flops and row.kernel else None
        peak = self.peaks[row.isa] * row.threads
        naive, floats = self._find(row.subject, NAIVE), self._find(row.subject, FLOAT)
        return {
            "isa": row.isa,
            "gflops": gflops and round(gflops, 2),
            "percent_of_peak": gflops and round(100 * gflops / peak, 1),
            "times_naive": round(naive.kernel / row.kernel, 2) if naive and row.kernel else None,
            "times_float": round(floats.median / row.median, 2) if floats else None,
        }

    def _find(self, subject: str, way: str) -> Row | None:
        return next((row for row in self.rows if (row.subject, row.way) == (subject, way)), None)

    def __str__(self) -> str:
        lines, before = [HEADER], None
        for row in self.rows:
            lines.append(self._line(row, named=row.subject != before))
            before = row.subject
        return "\n".join([*lines, NOTES])

    def _line(self, row: Row, named: bool) -> str:
        facts = self.facts(row)
        times = " ".join(f"{1e6 * seconds:10.2f}" for seconds in (row.best, row.median, row.kernel))
        cells = [(facts[key], width, digits) for key, _, width, digits in FACTS]
        speeds = " ".join(
            " " * width if value is None else f"{value:{width}.{digits}f}" for value, width, digits in cells
        )
        return f"{row.subject if named else '':34} {row.way:24} {times} {speeds}".rstrip()
