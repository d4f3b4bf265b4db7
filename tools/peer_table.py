"""The tables of engines in docs/performance.md, from bench/results/peers.json and peers_on_other_cpus.

python tools/peer_table.py          print the tables
python tools/peer_table.py --write  put them into docs/performance.md, between its markers
python tools/peer_table.py --check  fail if docs/performance.md holds others
"""

from __future__ import annotations

from pathlib import Path

import marked
from peer_figures import MANY, OURS, RESULTS, Figures, load

CAPTION = """\
Images/s on one thread, float32, from uint8 pictures in memory to probabilities; medians of interleaved rounds. Each
peer counts at its own best batch size (in brackets), cnnfast at the slower of its two. The last column:
cnnfast on two threads, in units of one. {cpu}, {isa}, FMA peak {fma_peak_gflops:.0f} GFLOP/s a core; {commit},
{day}; {peers}. How it is measured: [benchmarking](benchmarking.md)."""


def tables() -> str:
    """Return the table of the machine that the README speaks of, and of each other one."""
    return "\n\n".join(map(table, marked.on_all_cpus(RESULTS)))


def table(path: Path) -> str:
    """Return a row for each network, and under it what was measured where."""
    one, two = load(threads=1, path=path), load(threads=2, path=path)
    first = next(iter(one.values()))
    batches = [f"cnnfast, batch {batch:,}" for batch in MANY]
    head = ["network", *batches, *first.peers, "cnnfast ÷ best peer", "2 threads"]
    rows = [head, *(cells(run, first.peers, two.get(id)) for id, run in one.items())]
    return f"{marked.as_table(rows, left=(0,))}\n\n{caption(list(one.values()))}"


def cells(run: Figures, peers: list[str], two: Figures | None) -> list[str]:
    """Return the row of a network."""
    own = [number(run.rate(OURS, batch)) for batch in MANY]
    scaling = f"× {two.ours() / run.ours():.2f}" if two else ""
    return [run.title, *own, *(peer_cell(run, name) for name in peers), f"**{run.ratio():.2f}**", scaling]


def peer_cell(run: Figures, name: str) -> str:
    """Return a peer's images/s, bold for the best one, and the batch size at which it reaches them."""
    if name not in run.engines:
        return ""
    rate, batch = run.best(name)
    text = number(rate)
    return f"{f'**{text}**' if name == run.best_peer() else text} ({batch:,})"


def number(rate: float | None) -> str:
    """Return images/s with three digits."""
    return "" if rate is None else f"{float(f'{rate:.3g}'):,.0f}"


def caption(runs: list[Figures]) -> str:
    """Return what was measured, where, and with what."""
    run = runs[0]
    packages = {name: version for engine in run.peers for name, version in run.run["versions"][engine].items()}
    peers = ", ".join(f"{name} {version}" for name, version in packages.items())
    commits = list(dict.fromkeys(other.run["commit"] for other in runs))
    commit = f"commit {commits[0]}" if len(commits) == 1 else f"commits {', '.join(commits)}"
    days = ", ".join(dict.fromkeys(other.run["time"][:10] for other in runs))
    return CAPTION.format(**run.run | dict(commit=commit), day=days, peers=peers)


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "performance.md", "peers", tables())
