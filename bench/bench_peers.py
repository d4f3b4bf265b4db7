"""Compare cnnfast with other engines: same networks, same pictures, same threads, in turn.

    python bench/bench_peers.py --networks n1 n5 --threads 1 --rounds 5
    python bench/bench_peers.py --int8 --networks n1 n5 n7

From uint8 pictures in memory to probabilities. Results are checked before anything is timed. See docs/benchmarking.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import machine
import numpy as np
from networks import BENCHES, Bench
from peers import ENGINES, INT8_ENGINES
from peers.checks import PLAUSIBLE
from peers.process import Engine, EngineError
from peers.worker import Ready

from cnnfast.graph import evaluate
from cnnfast.graph.answers import with_probabilities

RESULTS = machine.FOLDER / "results"

LOG = Path(gettempdir()) / "cnnfast-bench-engines.log"
"""What the engines themselves print."""

FEW = 2
"""Pictures for which our own probabilities are checked against the float64 reference."""

Key = tuple[Engine, int]
"""An engine and a batch size."""


def main() -> None:
    """Measure the chosen networks and add them to the results file."""
    arguments = parse_arguments()
    RESULTS.mkdir(exist_ok=True)
    engines = [Engine(name, arguments.threads, str(LOG)) for name in arguments.engines]
    try:
        versions, engines, missing = present(engines)
        for id in arguments.networks:
            run = {
                **machine.facts(),
                "network": id,
                "title": BENCHES[id].title,
                "threads": arguments.threads,
                "versions": versions,
            }
            print(f"\n{id} {BENCHES[id].title} · {arguments.threads} threads · {machine.as_line(run)}", flush=True)
            run |= measure(BENCHES[id], engines, arguments)
            run["refused"] = missing + run["refused"]
            save(run, arguments.output)
            print(as_table(run["rows"]), flush=True)
    finally:
        for engine in engines:
            engine.close()


def present(engines: list[Engine]) -> tuple[dict[str, Any], list[Engine], list[dict[str, Any]]]:
    """Return the versions of the engines that can be run, these engines, and why others cannot; our own must."""
    versions, found, missing = {}, [], []
    for engine in engines:
        try:
            versions[engine.name] = engine.ask("versions")
        except EngineError as error:
            if engine.name.startswith("cnnfast"):
                raise
            engine.close()
            missing.append({"engine": engine.name, "why": str(error)})
            print(f"{engine.name} is left out: {error}", flush=True)
            continue
        found.append(engine)
    return versions, found, missing


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=BENCHES, default=list(BENCHES), metavar="ID")
    parser.add_argument("--int8", action="store_true", help="compare eight-bit integers, and keep them in a file apart")
    known = ENGINES + INT8_ENGINES
    parser.add_argument("--engines", nargs="+", choices=known, metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32, 256, 1024], metavar="N")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="how often every engine has its turn")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn lasts, for each batch size")
    parser.add_argument("--longest", type=float, default=5.0, help="skip a batch whose single call takes more seconds")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between turns: thread pools come to rest")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    # Integers have a file of their own: the tables that are made of the other one compare floats with floats.
    arguments.engines = arguments.engines or [*(("cnnfast", *INT8_ENGINES) if arguments.int8 else ENGINES)]
    if not arguments.int8 and not set(arguments.engines) <= set(ENGINES):
        parser.error("engines of integers are compared with --int8")
    arguments.output = arguments.output or RESULTS / ("peers_int8.json" if arguments.int8 else "peers.json")
    return arguments


def measure(bench: Bench, engines: list[Engine], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of one network, and what was left out and why."""
    batches = sorted(arguments.batches)
    expected = checked_probabilities(bench, max(batches))
    ready: dict[Key, Ready] = {}
    refused: list[dict[str, Any]] = []
    for engine in engines:
        prepare(engine, bench, batches, expected, arguments.longest, ready, refused)
    rounds = take_turns(list(ready), arguments)
    for engine in engines:
        engine.ask("forget")
    return {"rows": [row(key, ready[key], rounds[key]) for key in ready], "refused": refused}


def checked_probabilities(bench: Bench, count: int) -> np.ndarray:
    """Return our probabilities, after a look at the float64 reference."""
    net, pictures = bench.network(), bench.pictures(count)
    graph = with_probabilities(net.graph)
    probabilities = net.predict_proba(pictures)
    truth = evaluate(graph, bench.preprocess(pictures[:FEW], np.float64))[graph.outputs[0]]
    difference = np.abs(probabilities[:FEW] - truth).max()
    if not difference <= PLAUSIBLE * truth.max():
        raise SystemExit(f"{bench.id}: our own probabilities are off by {difference:.1e}; nothing was timed")
    return probabilities


def prepare(
    engine: Engine,
    bench: Bench,
    batches: list[int],
    expected: np.ndarray,
    longest: float,
    ready: dict[Key, Ready],
    refused: list[dict[str, Any]],
) -> None:
    """Get an engine ready for each batch size that does not take too long, small ones first."""
    image = 0.0
    for batch in batches:
        about = {"engine": engine.name, "batch": batch}
        if image * batch > longest:
            refused.append({**about, "why": f"a call would take about {image * batch:.0f} s"})
            continue
        try:
            found: Ready = engine.ask("prepare", bench.id, batch, expected[:batch])
        except EngineError as error:
            refused.append({**about, "why": str(error)})
            continue
        refused += [{**about, "way": way, "why": why} for way, why in found.refused.items()]
        if found.way:
            ready[engine, batch] = found
            image = found.seconds / batch


def take_turns(keys: list[Key], arguments: argparse.Namespace) -> dict[Key, list[list[float]]]:
    """Return the times of all calls, round by round; within a round every engine has its turn."""
    rounds: dict[Key, list[list[float]]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for engine, batch in keys:
            time.sleep(arguments.pause)
            rounds[engine, batch].append(engine.ask("time", batch, arguments.seconds))
    return rounds


def row(key: Key, ready: Ready, rounds: list[list[float]]) -> dict[str, Any]:
    """Return the figures of one engine at one batch size, in images/s."""
    engine, batch = key
    return {
        "engine": engine.name,
        "batch": batch,
        "way": ready.way,
        "difference": float(f"{ready.difference:.2g}"),
        **({"agreement": round(ready.agreement, 4)} if engine.name in INT8_ENGINES else {}),
        "calls": sum(map(len, rounds)),
        "median": significant(batch / statistics.median(statistics.median(times) for times in rounds)),
        "best": significant(batch / min(min(times) for times in rounds)),
    }


def significant(value: float) -> float:
    """Round to four digits."""
    return float(f"{value:.4g}")


def save(run: dict[str, Any], path: Path) -> None:
    """Put a run into the results file, in place of the one of the same network, threads and instruction set."""
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    key = identity(run)
    runs = sorted([*(old for old in runs if identity(old) != key), run], key=identity)
    text = json.dumps({"unit": "images/s", "runs": runs}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def identity(run: dict[str, Any]) -> tuple[str, int, str]:
    """Return what a run replaces."""
    return run["network"], run["threads"], run["isa"]


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return images/s by engine and batch size, the best in units of the best peer's, and labels as in float."""
    batches = sorted({row["batch"] for row in rows})
    rates = {(row["engine"], row["batch"]): row["median"] for row in rows}
    names = list(dict.fromkeys(row["engine"] for row in rows))
    best = {name: max(rates.get((name, batch), 0) for batch in batches) for name in names}
    peer = max((rate for name, rate in best.items() if not name.startswith("cnnfast")), default=float("nan"))
    agree = {row["engine"]: row["agreement"] for row in rows if "agreement" in row}
    labels = f"{'labels as in float':>21}" if agree else ""
    lines = [f"{'engine':18}" + "".join(f"{f'batch {b}':>12}" for b in batches) + "   ÷ best peer" + labels]
    for name in names:
        cells = (f"{rates[name, b]:12,.0f}" if (name, b) in rates else f"{'':12}" for b in batches)
        share = f"{agree[name]:21.1%}" if name in agree else ""
        lines.append(f"{name:18}" + "".join(cells) + f"{best[name] / peer:14.2f}{share}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
