"""The ladder of docs/performance.md: one network in ever faster ways, round after round, each way once a round.

    python bench/ladder.py --network n1 --rounds 15

Each way is checked against the reference before any is timed. The rungs are those of bench_networks.py. Writes
bench/results/ladder.json, from which tools/ladder_table.py and tools/ladder_plot.py make what that page shows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import machine
from bench_networks import BATCH, RUNGS, way
from networks import BENCHES

from cnnfast import get_num_threads
from cnnfast.report.ladder import Subject

RESULTS = machine.FOLDER / "results" / "ladder.json"

WARM_SECONDS = 0.05
"""How long a rung runs before it is timed."""


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="Measure the ladder of one network.")
    parser.add_argument("--network", default="n1", choices=BENCHES)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    bench = BENCHES[arguments.network]
    subject = Subject.of(bench.network(), BATCH)
    run = {
        **machine.facts(),
        "network": bench.id,
        "title": bench.title,
        "threads": get_num_threads(),
        "flops": subject.flops,
        "rounds": arguments.rounds,
        "rungs": rows(subject, arguments.rounds),
    }
    RESULTS.write_text(json.dumps(run, indent=1) + "\n")
    for row in run["rungs"]:
        print(f"{row['rung']:24} {row['median']:12,.1f} images/s   off by {row['difference']:.1e}")


def warm_up(compute: Callable[[], object]) -> None:
    """Compute for a while: after a pause, the system may have both threads on one core for some milliseconds."""
    end = time.perf_counter() + WARM_SECONDS
    compute()
    while time.perf_counter() < end:
        compute()


def rows(subject: Subject, rounds: int) -> list[dict[str, object]]:
    """Return the images/s of each rung, the median of the rounds, and its largest difference from the reference."""
    ways = {rung: way(subject, rung) for rung in RUNGS}
    differences = {rung: subject.check(rung, compute()) for rung, (compute, _, _) in ways.items()}
    rates: dict[str, list[float]] = {rung: [] for rung in ways}
    for _ in range(rounds):
        for rung, (compute, images, _) in ways.items():
            warm_up(compute)
            start = time.perf_counter()
            compute()
            rates[rung].append(images / (time.perf_counter() - start))
    return [
        {
            "rung": rung,
            "threads": ways[rung][2],
            "median": median(own),
            "best": max(own),
            "difference": differences[rung],
        }
        for rung, own in rates.items()
    ]


if __name__ == "__main__":
    main()
