"""The tables of single images in docs/performance.md, from bench/results/latency.json and latency_on_other_cpus.

python tools/latency_table.py          print the tables
python tools/latency_table.py --write  put them into docs/performance.md, between its markers
python tools/latency_table.py --check  fail if docs/performance.md holds others
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import marked
from peer_figures import OURS, WIDTHS

RESULTS = marked.ROOT / "bench" / "results" / "latency.json"

HEAD = ["network", "threads", "cnnfast, p50", "p99", "best other engine, p50", "p99", "cnnfast ÷ best"]

CAPTION = """\
µs from one uint8 picture in memory to its probabilities, float32; medians over interleaved rounds of each round's 50th
and 99th percentile; every engine in its fastest way. {cpu}, {isa}; commit {commit}, {day}. How it is measured:
[benchmarking](benchmarking.md)."""


def tables() -> str:
    """Return the tables of the machine that the README speaks of, and of each other one."""
    return "\n\n".join(map(tables_of, marked.on_all_cpus(RESULTS)))


def tables_of(path: Path) -> str:
    """Return a row for each network and number of threads, and what a call costs besides."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    runs = widest(stored["runs"])
    parts = [marked.as_table([HEAD, *map(cells, runs)], left=(0,)), caption(runs[0])]
    if stored["around"]:
        facts = [[row["what"].strip(), f"{row['value']:g} {row['unit']}"] for row in stored["around"]["rows"]]
        parts.append(marked.as_table([["besides the network", ""], *facts], left=(0,)))
    return "\n\n".join(parts)


def widest(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs with the widest instruction set there is."""
    isa = max((run["isa"] for run in runs), key=WIDTHS.index, default=None)
    return [run for run in runs if run["isa"] == isa]


def cells(run: dict[str, Any]) -> list[str]:
    """Return the row of a network."""
    start = [run["title"], str(run["threads"])]
    own = next((row for row in run["rows"] if row["engine"] == OURS), None)
    best = min((row for row in run["rows"] if row["engine"] != OURS), key=lambda row: row["p50"], default=None)
    ours = [number(own["p50"]), number(own["p99"])] if own else ["", ""]
    theirs = [f"{number(best['p50'])} ({best['engine']})", number(best["p99"])] if best else ["", ""]
    ratio = f"**{own['p50'] / best['p50']:.2f}**" if own and best else ""
    return [*start, *ours, *theirs, ratio]


def number(micros: float) -> str:
    """Return µs with three digits."""
    rounded = float(f"{micros:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def caption(run: dict[str, Any]) -> str:
    """Return what was measured, where, and with what."""
    return CAPTION.format(**run, day=run["time"][:10])


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "performance.md", "latency", tables())
