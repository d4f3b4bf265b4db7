"""Compare training with PyTorch's: same network, pictures, weights, threads and update, in turn.

    python bench/bench_train.py --networks n1 n5 --batches 128 512 --rounds 7

A step goes from uint8 pictures in memory through forward, backward and SGD with momentum. The losses of the first
steps must agree before anything is timed. Needs PyTorch. See docs/training.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from typing import Any

import machine
import trainers
from networks import BENCHES

OURS = "cnnfast"
RESULTS = machine.FOLDER / "results" / "train.json"
EQUAL = 2e-3
"""How far losses may be apart, relatively: float32 sums in another order."""


class Side:
    """One side, in its own process."""

    def __init__(self, name: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        context.Process(target=trainers.serve, args=(theirs, name, threads), daemon=True).start()
        theirs.close()

    def ask(self, *request: Any) -> Any:
        """Return the answer to a request."""
        self._pipe.send(request)
        return self._pipe.recv()


def main() -> None:
    """Measure the chosen networks and add them to the results file."""
    arguments = parse_arguments()
    sides = {name: Side(name, arguments.threads) for name in trainers.SIDES}
    for network in arguments.networks:
        for batch in arguments.batches:
            run = {
                **machine.facts(),
                **dict(network=network, title=BENCHES[network].title, batch=batch, threads=arguments.threads),
                "versions": machine.versions(("torch", "numpy")),
                **measure(sides, network, batch, arguments),
            }
            save(run, arguments.output)
            print(as_text(run), flush=True)


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=BENCHES, default=["n1", "n2", "n4", "n5"], metavar="ID")
    parser.add_argument("--batches", nargs="+", type=int, default=[128, 512], metavar="N")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="how often every way has its turn")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn lasts")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between turns: thread pools come to rest")
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(sides: dict[str, Side], network: str, batch: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the losses of the first steps, and the times of every way in turn."""
    losses = {name: side.ask("losses", network, batch) for name, side in sides.items()}
    check(losses)
    turns = [(side, way) for side, ways in losses.items() for way in ways]
    times: dict[str, list[float]] = {way: [] for _, way in turns}
    for _ in range(arguments.rounds):
        for side, way in turns:
            times[way] += sides[side].ask("time", way, arguments.seconds)
            time.sleep(arguments.pause)
    ways = {
        way: dict(best=batch / min(t), median=batch / statistics.median(t), steps=len(t)) for way, t in times.items()
    }
    return {"losses": {way: v for ways in losses.values() for way, v in ways.items()}, "images_per_second": ways}


def check(losses: dict[str, dict[str, list[float]]]) -> None:
    """Stop unless all ways have the same losses."""
    expected = losses[OURS][OURS]
    for ways in losses.values():
        for way, found in ways.items():
            if any(abs(a - b) > EQUAL * abs(a) for a, b in zip(expected, found, strict=True)):
                raise SystemExit(f"{way} trains something else: losses {found}, ours {expected}")


def save(run: dict[str, Any], path: Path) -> None:
    """Put a run into the results file, in the place of an older one of the same machine, network, batch and threads."""
    path.parent.mkdir(exist_ok=True)
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    key = ("cpu", "network", "batch", "threads", "isa")
    kept = [old for old in runs if any(old[k] != run[k] for k in key)]
    runs = sorted([*kept, run], key=lambda r: [r[k] for k in key])
    path.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def as_text(run: dict[str, Any]) -> str:
    """Return the figures of a run, each way on a line."""
    rates = run["images_per_second"]
    peer = {kind: max(rates[way][kind] for way in rates if way != OURS) for kind in ("best", "median")}
    lines = ["{network} {title} · batch {batch} · {threads} threads".format(**run)]
    lines += [f"  {way:22} best {r['best']:8.0f}  median {r['median']:8.0f} images/s" for way, r in rates.items()]
    lines.append("  ratio: best {:.2f}, median {:.2f}".format(*(rates[OURS][k] / peer[k] for k in ("best", "median"))))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
