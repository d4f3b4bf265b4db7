"""Measure one image at a time: p50 and p99 next to other engines, and what a call costs besides the network.

    python bench/bench_latency.py --networks n1 n5 --threads 1 2

From one uint8 picture in memory to its probabilities. Engines, checks and turns are those of bench_peers.py; see
docs/benchmarking.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import machine
from around_a_call import measure_around
from bench_peers import LOG, RESULTS, Key, checked_probabilities, identity, prepare, take_turns
from networks import BENCHES, Bench
from peers import ENGINES
from peers.process import Engine
from peers.worker import Ready


def main() -> None:
    """Measure the chosen networks and add them to the results file."""
    arguments = parse_arguments()
    for threads in arguments.threads:
        engines = [Engine(name, threads, str(LOG)) for name in arguments.engines]
        try:
            versions = {engine.name: engine.ask("versions") for engine in engines}
            for id in arguments.networks:
                about = {"network": id, "title": BENCHES[id].title, "threads": threads, "versions": versions}
                run = {**machine.facts(), **about, **measure(BENCHES[id], engines, arguments)}
                save(arguments.output, run=run)
                print(f"\n{run['title']} · {threads} threads · {machine.as_line(run)}\n{as_table(run)}", flush=True)
        finally:
            for engine in engines:
                engine.close()
    if not arguments.no_around:
        around = {**machine.facts(), "rows": measure_around()}
        save(arguments.output, around=around)
        print("\n" + "\n".join(f"{row['what']:60} {row['value']:>9} {row['unit']}" for row in around["rows"]))


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", choices=BENCHES, default=["n1", "n2", "n4", "n5", "n7"], metavar="ID")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES), metavar="NAME")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9, help="how often every engine has its turn")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn lasts")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between turns: thread pools come to rest")
    parser.add_argument("--no-around", action="store_true", help="leave out what a call costs besides the network")
    parser.add_argument("--output", type=Path, default=RESULTS / "latency.json")
    return parser.parse_args()


def measure(bench: Bench, engines: list[Engine], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of one network, and what was left out and why."""
    expected = checked_probabilities(bench, 1)
    ready: dict[Key, Ready] = {}
    refused: list[dict[str, Any]] = []
    for engine in engines:
        prepare(engine, bench, [1], expected, float("inf"), ready, refused)
    rounds = take_turns(list(ready), arguments)
    for engine in engines:
        engine.ask("forget")
    return {"rows": [row(engine, ready[engine, n], rounds[engine, n]) for engine, n in ready], "refused": refused}


def row(engine: Engine, ready: Ready, rounds: list[list[float]]) -> dict[str, Any]:
    """Return p50 and p99 in µs: the median over the rounds of each round's, so that a slow minute counts once."""
    return {
        "engine": engine.name,
        "way": ready.way,
        "calls": sum(map(len, rounds)),
        "p50": micros(statistics.median(map(statistics.median, rounds))),
        "p99": micros(statistics.median(percentile(times, 99) for times in rounds)),
        "best": micros(min(map(min, rounds))),
    }


def percentile(times: list[float], percent: int) -> float:
    """Return the time that ``percent`` of the calls do not exceed."""
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def micros(seconds: float) -> float:
    """Return µs, to four digits."""
    return float(f"{1e6 * seconds:.4g}")


def save(path: Path, run: dict[str, Any] | None = None, around: dict[str, Any] | None = None) -> None:
    """Put a run into the results file, in place of the one of the same network, threads and instruction set."""
    path.parent.mkdir(exist_ok=True)
    stored = {"unit": "µs a call", "runs": [], "around": None}
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
    if run is not None:
        others = [old for old in stored["runs"] if identity(old) != identity(run)]
        stored["runs"] = sorted([*others, run], key=identity)
    stored["around"] = around or stored["around"]
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def as_table(run: dict[str, Any]) -> str:
    """Return p50 and p99 by engine, and ours in units of the best peer's."""
    best = min((row["p50"] for row in run["rows"] if row["engine"] != "cnnfast"), default=float("nan"))
    lines = [f"{'engine':12} {'p50 µs':>10} {'p99 µs':>10} {'÷ best peer':>12}  way"]
    for row in run["rows"]:
        figures = f"{row['p50']:10,.1f} {row['p99']:10,.1f} {row['p50'] / best:12.2f}"
        lines.append(f"{row['engine']:12} {figures}  {row['way']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
