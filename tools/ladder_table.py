"""The ladder in docs/performance.md, from bench/results/ladder.json.

python tools/ladder_table.py          print the table
python tools/ladder_table.py --write  put it into docs/performance.md, between its markers
python tools/ladder_table.py --check  fail if docs/performance.md holds another one
"""

from __future__ import annotations

import json
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "ladder.json"

STEPS = {
    "NumPy, float64": "the reference: NumPy, float64",
    "naive": "textbook loops, compiled",
    "lanes, direct": "images in the lanes, a register tile of 4 channels × 4 pixels",
    "lanes, direct, fused": "ReLU and max-pool in the store",
    "Winograd": "Winograd, nothing fused",
    "Winograd, fused": "Winograd, ReLU and max-pool in the store",
    "all cores": "all {threads} cores",
}
"""The rungs of bench/ladder.py in words."""

CAPTION = """\
{title}, {cpu}, {isa}, float32, one core but for the last row: medians of {rounds} interleaved rounds, from uint8 to
probabilities; peak of multiply-adds measured in the same run: {fma_peak_gflops:.0f} GFLOP/s a core; commit {commit}.
The percentage counts the operations of direct convolution, of which Winograd needs fewer."""


def table(run: dict[str, Any]) -> str:
    """Return a row for each rung, and under it what was measured where."""
    naive = next(row["median"] for row in run["rungs"] if row["rung"] == "naive")
    lines = [["step", "images/s", "× naive", "% of the FMA peak"]]
    for row in run["rungs"]:
        step = STEPS[row["rung"]].format(**row)
        share = 100 * row["median"] * run["flops"] / (run["fma_peak_gflops"] * 1e9 * row["threads"])
        rate, times = (f"{float(f'{value:.3g}'):,g}" for value in (row["median"], row["median"] / naive))
        lines.append([step, rate, times, f"{share:.2g}" if share < 1 else f"{share:.0f}"])
    return f"{marked.as_table(lines, left=(0,))}\n\n{CAPTION.format(**run)}"


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "performance.md", "ladder", table(json.loads(RESULTS.read_text())))
