"""How many photographs get from the disk to a label in a second, in the ways that people use, in turn.

    python bench/bench_photographs.py --threads 2
    python bench/bench_photographs.py --megapixels 12 --rounds 3 --ways cnnfast OpenCV

The photographs are made, and stay in a folder for temporary files. The labels of each way are checked before it is
timed. See docs/benchmarking.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import machine
import numpy as np
from photographs.made import COUNTS, SIZES, make
from photographs.ways import FULL, REDUCED, WAYS
from photographs.worker import Pass, WayProcess

RESULT = machine.FOLDER / "results" / "photographs.json"

AGREE = 0.95
"""Labels that must be those of cnnfast's full decode: filters that reduce differ by a little."""

OURS_FULL = next(i for i, way in enumerate(WAYS) if way.name.startswith("cnnfast") and way.decodes == FULL)


def main() -> None:
    """Measure the chosen sizes and write the results file."""
    arguments = parse_arguments()
    runs = []
    for megapixels in arguments.megapixels:
        paths = make(arguments.folder, megapixels, arguments.count or COUNTS[megapixels])
        run = {
            **machine.facts(),
            "threads": arguments.threads,
            "megapixels": megapixels,
            "photographs": len(paths),
            "bytes": sum(path.stat().st_size for path in paths) // len(paths),
        }
        print(f"\n{megapixels} megapixels, {len(paths)} of {run['bytes']:,} bytes · {machine.as_line(run)}", flush=True)
        run |= measure(paths, arguments)
        runs.append(run)
        print(as_table(run), flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps({"unit": "photographs/s", "runs": runs}, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megapixels", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, help="photographs of each size")
    parser.add_argument("--ways", nargs="+", metavar="NAME", help=", ".join(way.name for way in WAYS))
    parser.add_argument("--folder", type=Path, default=Path(gettempdir()) / "cnnfast-bench-photographs")
    parser.add_argument("--output", type=Path, help=f"results file, such as {RESULT}")
    return parser.parse_args()


def measure(paths: list[Path], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of one size, and what was left out and why."""
    chosen = [i for i, way in enumerate(WAYS) if i == OURS_FULL or not arguments.ways or way.name in arguments.ways]
    processes = {number: WayProcess(number, paths, arguments.threads) for number in chosen}
    try:
        agreement, refused = checked(processes)
        passes: dict[int, list[Pass]] = {number: [] for number in agreement}
        for _ in range(arguments.rounds):
            for number, taken in passes.items():
                taken.append(processes[number].run())  # type: ignore[arg-type]
        versions = {}
        for number in agreement:
            versions |= processes[number].versions()
    finally:
        for process in processes.values():
            process.close()
    rows = [row(number, agreement[number], taken, len(paths)) for number, taken in passes.items()]
    return {"rows": rows, "refused": refused, "versions": versions}


def checked(processes: dict[int, WayProcess]) -> tuple[dict[int, float], list[dict[str, str]]]:
    """Return which share of the labels of each way are those of the full decode, and the ways that are not timed."""
    found = {number: process.run() for number, process in processes.items()}
    truth = found[OURS_FULL]
    if isinstance(truth, str):
        raise SystemExit(f"cnnfast itself fails: {truth}")
    if len(np.unique(truth.labels)) < 3:
        raise SystemExit("the photographs have fewer than three labels, so equal labels would show nothing")
    agreement, refused = {}, []
    for number, result in found.items():
        if isinstance(result, str):
            refused.append({"way": WAYS[number].name, "why": result})
            continue
        share = float(np.mean(result.labels == truth.labels))
        if share < AGREE:
            refused.append({"way": WAYS[number].name, "why": f"only {share:.0%} of the labels agree"})
        else:
            agreement[number] = share
    return agreement, refused


def row(number: int, agreement: float, passes: list[Pass], count: int) -> dict[str, Any]:
    """Return the figures of one way; processor time only where all of it is that of one process."""
    times = [one.seconds for one in passes]
    processor = None if "DataLoader" in WAYS[number].name else min(one.processor for one in passes)
    return {
        "way": WAYS[number].name,
        "decodes": WAYS[number].decodes,
        "labels_that_agree": round(agreement, 4),
        "median": float(f"{count / statistics.median(times):.4g}"),
        "best": float(f"{count / min(times):.4g}"),
        "processor_ms": processor and float(f"{1000 * processor / count:.4g}"),
    }


def as_table(run: dict[str, Any]) -> str:
    """Return the rows as text, with cnnfast in units of the best of each kind."""
    lines = [f"{'':33}{'median':>10}{'best':>10}{'ms of a core':>14}"]
    lines += [
        f"{row['way']:24}{row['decodes']:>9}{row['median']:10.1f}{row['best']:10.1f}{row['processor_ms'] or '':>14}"
        for row in run["rows"]
    ]
    lines += [f"{left['way']:24} refused: {left['why']}" for left in run["refused"]]
    lines += [f"cnnfast ÷ best that decodes {kind}: {ratio(run, kind)}" for kind in (FULL, REDUCED)]
    return "\n".join(lines)


def ratio(run: dict[str, Any], kind: str) -> str:
    """Return photographs/s of cnnfast in units of the best other way of a kind, and the same for processor time."""
    peers = [row for row in run["rows"] if row["decodes"] == kind and "cnnfast" not in row["way"]]
    ours = next((row for row in run["rows"] if row["way"] == WAYS[0].name), None)
    if ours is None or not peers:
        return "not measured"
    of_time = ours["median"] / max(row["median"] for row in peers)
    of_processor = min(row["processor_ms"] for row in peers if row["processor_ms"]) / ours["processor_ms"]
    return f"{of_time:.2f}, by processor time {of_processor:.2f}"


if __name__ == "__main__":
    main()
