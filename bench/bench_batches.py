"""Measure every batch from 1 to 64 images: none may take longer than a larger one, or than the best partition of it.

    python bench/bench_batches.py --networks n1 n5 cifar10-resnet --threads 1 2

A batch can be divided between groups and images alone in several ways with bit-identical results. All of them are
timed, in turns, with the one that the library chooses. What a batch takes must not depend on those before it either,
since times of calls decide how later ones are divided. Writes bench/results/batches.json, from which
tools/batches_plot.py draws docs/img/batches.svg; see docs/benchmarking.md.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
from networks import BENCHES

from cnnfast import Network
from cnnfast.plan import make_plan
from cnnfast.plan.plan import as_chw
from cnnfast.runtime.threads import granted

RESULTS = machine.FOLDER / "results" / "batches.json"

SETTLE_SECONDS = 1.0
"""How long calls of all sizes run before any is timed: what an image alone costs is measured then."""

WARM_SECONDS = 0.003
"""How long calls of one kind run before one is timed: those before them had other weights in the caches."""

ROUNDS = 3
"""How often each batch has its turn at least."""


def main() -> None:
    """Measure the chosen networks and replace the results file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=[f"n{i}" for i in range(1, 8)], metavar="ID or NAME")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, 2, granted()[0]}))
    parser.add_argument("--most", type=int, default=64, help="images of the largest batch")
    parser.add_argument("--seconds", type=float, default=20, help="for a network and a number of threads")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    runs = []
    for name in arguments.networks:
        for threads in arguments.threads:
            rows = measure(network_named(name), threads, arguments.most, arguments.seconds)
            after = after_other_sizes(network_named(name), threads, arguments.most)
            runs.append({"network": name, "threads": threads, "rows": rows, **verdict(rows), "worst_after": after})
            print(as_line(runs[-1]), flush=True)
            arguments.output.parent.mkdir(exist_ok=True)
            arguments.output.write_text(json.dumps({**machine.facts(), "unit": "µs", "runs": runs}, indent=1) + "\n")


def network_named(name: str) -> Network:
    """Return a network of the benchmarks by its id, or a shipped one by its name."""
    return BENCHES[name].network() if name in BENCHES else Network.load(name)


def measure(network: Network, threads: int, most: int, seconds: float) -> list[dict[str, Any]]:
    """Return for each number of images the least time of the library's own choice and of the best partition, in µs."""
    plan, values = make_plan(network.graph), images_for(network, most)
    program = plan.program_for_any_batch
    expected = np.empty((most, int(np.prod(plan.shapes[plan.results[0]]))), np.float32)
    program.run([values], [expected], threads, groups=-(-most // plan.group))
    settle(program, values, expected.shape[1], threads)
    sizes, any_alone = range(1, most + 1), plan.small_batch is not None
    turns = [(n, groups) for n in sizes for groups in (None, *partitions(n, plan.group, any_alone))]
    least = dict.fromkeys(turns, float("inf"))
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < ROUNDS or time.perf_counter() < end:
        random.Random(rounds).shuffle(turns)
        for images, groups in turns:
            needed, result = timed(program, values[:images], expected.shape[1], threads, groups)
            if not np.array_equal(result, expected[:images]):
                raise SystemExit(f"{images} images as {groups} groups differ from the batch")
            least[images, groups] = min(needed, least[images, groups])
        rounds += 1
    return [
        {
            "images": images,
            "chosen": micros(least[images, None]),
            "best": micros(min(s for (n, groups), s in least.items() if n == images and groups is not None)),
        }
        for images in range(1, most + 1)
    ]


def images_for(network: Network, most: int) -> np.ndarray:
    """Return random images."""
    ((_, shape),) = network.graph.inputs.items()
    return np.random.default_rng(1).random((most, *as_chw(shape)), np.float32)


def after_other_sizes(network: Network, threads: int, most: int) -> float:
    """Return how many times as long a call takes, at worst, after calls of another size as where there were none."""
    plan, values = make_plan(network.graph), images_for(network, most)
    count = int(np.prod(plan.shapes[plan.results[0]]))
    sizes, ratios = sorted({1, min(plan.group, most), most}), []
    for images in sizes:
        programs = [plan.program_with(plan.small_batch_program) for _ in sizes]
        for program, first in zip(programs, sizes, strict=True):
            repeat(program, values[:first], count, threads)
            repeat(program, values[:images], count, threads)
        least = [float("inf")] * len(sizes)
        for _ in range(2 * ROUNDS):
            for i, program in enumerate(programs):
                least[i] = min(least[i], timed(program, values[:images], count, threads, None)[0])
        ratios.append(max(least) / least[sizes.index(images)])
    return round(max(ratios), 3)


def repeat(program: Any, images: np.ndarray, count: int, threads: int) -> None:
    """Run the same batch for a while."""
    end = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < end:
        timed(program, images, count, threads, None)


def partitions(images: int, group: int, any_alone: bool) -> list[int]:
    """Return the numbers of groups that some of the images can form, while the others are computed alone."""
    whole = -(-images // group)
    return list(range(whole + 1)) if any_alone else [whole]


def settle(program: Any, values: np.ndarray, count: int, threads: int) -> None:
    """Run batches of all sizes for a while."""
    end = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < end:
        for images in range(1, len(values) + 1):
            timed(program, values[:images], count, threads, None)


def timed(program: Any, values: np.ndarray, count: int, threads: int, groups: int | None) -> tuple[float, np.ndarray]:
    """Return the seconds of the last of several calls, and its result."""
    result = np.empty((len(values), count), np.float32)
    first = start = time.perf_counter()
    while start == first or start - first < WARM_SECONDS:
        program.run([values], [result], threads, groups=groups)
        start = time.perf_counter()
    program.run([values], [result], threads, groups=groups)
    return time.perf_counter() - start, result


def verdict(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return how many times as long the worst batch takes as a larger one, and as the best partition of it."""
    chosen = [row["chosen"] for row in rows]
    larger = max(chosen[i] / min(chosen[i:]) for i in range(len(chosen)))
    return {"worst_to_larger": round(larger, 3), "worst_to_best": round(max(r["chosen"] / r["best"] for r in rows), 3)}


def micros(seconds: float) -> float:
    """Return µs, to four digits."""
    return float(f"{1e6 * seconds:.4g}")


def as_line(run: dict[str, Any]) -> str:
    """Return the verdict on one network."""
    worst = f"≤ {run['worst_to_larger']:.2f} × a larger batch, ≤ {run['worst_to_best']:.2f} × the best partition"
    return f"{run['network']:20} {run['threads']:3} threads: {worst}, ≤ {run['worst_after']:.2f} × after other sizes"


if __name__ == "__main__":
    main()
