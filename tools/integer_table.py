"""The tables of eight-bit integers in docs/performance.md, from bench/results/peers_int8.json and those of other CPUs.

python tools/integer_table.py          print the tables
python tools/integer_table.py --write  put them into docs/performance.md, between their markers
python tools/integer_table.py --check  fail if docs/performance.md holds others
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import marked
from peer_figures import MANY, OURS, Figures, load
from peer_table import number, peer_cell

RESULTS = marked.ROOT / "bench" / "results" / "peers_int8.json"

INTEGERS = "cnnfast_int8"

CAPTION = """\
Images/s on one thread, eight-bit integers, from uint8 pictures in memory to probabilities; medians of interleaved
rounds. Each peer counts at its own best batch size (in brackets), cnnfast at the slower of its large ones. One picture:
µs, and in units of the best peer's. {cpu}, {isa} with products of bytes by {dot_product}, FMA peak
{fma_peak_gflops:.0f} GFLOP/s a core; {commits}, {day}; {peers}. How each is quantized:
[benchmarking](benchmarking.md#what-is-fair)."""

HEAD = ("network", "cnnfast in float", "cnnfast", "÷ best peer", "÷ own float", "one picture", "÷ best peer")


def tables() -> str:
    """Return the table of each CPU."""
    return "\n\n".join(table(path) for path in marked.on_all_cpus(RESULTS))


def table(results: Path) -> str:
    """Return a row for each network, and under it what was measured where."""
    runs = load(threads=1, path=results)
    if not runs:
        return "Not measured yet: see [benchmarking](benchmarking.md)."
    first = next(iter(runs.values()))
    peers = peers_of(first)
    head = [
        "network",
        "cnnfast in float",
        "cnnfast",
        *peers,
        "÷ best peer",
        "÷ own float",
        "one picture",
        "÷ best peer",
    ]
    rows = [head, *(cells(run, peers) for run in runs.values())]
    return f"{marked.as_table(rows, left=(0,))}\n\n{caption(list(runs.values()), peers)}"


def peers_of(run: Figures) -> list[str]:
    """Return the other engines, of integers all of them."""
    return [name for name in run.engines if not name.startswith(OURS)]


def cells(run: Figures, peers: list[str]) -> list[str]:
    """Return the row of a network."""
    among = replace(run, run=run.run | {"rows": [row for row in run.run["rows"] if row["engine"] in peers]})
    ours = min(rate for batch in MANY if (rate := run.rate(INTEGERS, batch)))
    best = max(among.best(name)[0] for name in peers)
    own, fastest = one(run, INTEGERS), min(one(run, name) for name in peers)
    return [
        run.title,
        number(run.ours()),
        number(ours),
        *(peer_cell(among, name) for name in peers),
        f"**{ours / best:.2f}**",
        f"{ours / run.ours():.2f}",
        f"{own:,.3g}" if own < 1000 else f"{own:,.0f}",
        f"**{own / fastest:.2f}**",
    ]


def one(run: Figures, engine: str) -> float:
    """Return the µs of one picture."""
    return 1e6 / (run.rate(engine, 1) or float("nan"))


def caption(runs: list[Figures], peers: list[str]) -> str:
    """Return what was measured, where, and with what."""
    run, commits = runs[0], list(dict.fromkeys(each.run["commit"] for each in runs))
    packages = {name: version for engine in peers for name, version in run.run["versions"][engine].items()}
    names = ", ".join(f"{name} {version}" for name, version in packages.items())
    told = f"commit{'s'[: len(commits) > 1]} {', '.join(commits)}"
    return CAPTION.format(**run.run, commits=told, day=run.run["time"][:10], peers=names)


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "performance.md", "integers", tables())
