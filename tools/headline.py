"""The headline figures of README.md, from bench/results: peers.json, latency.json and
peers_on_other_cpus.

python tools/headline.py          print the text
python tools/headline.py --write  put it into README.md, between its markers
python tools/headline.py --check  fail if README.md holds another one
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import latency_table
import marked
import peer_table
from peer_figures import OURS, RESULTS, load

TEXT = (
    "On one thread of an {cpu}, the {title} network classifies {rate} images/s, {ratio:.2f} times as many as the "
    "fastest of {engines} other engines; over {count} networks it is {least:.2f} to {most:.2f} times. One picture "
    "takes {ours} µs, and {theirs} µs with the fastest other engine. {elsewhere}: [all figures](docs/performance.md)."
)

ON_OTHER_CPUS = "On an {cpu} it is {least:.2f} to {most:.2f} times"


def text() -> str:
    """Return the figures of the first network, and how the others compare."""
    one = load(threads=1)
    first = next(iter(one.values()))
    ratios = [figures.ratio() for figures in one.values()]
    runs = latency_table.widest(json.loads(latency_table.RESULTS.read_text())["runs"])
    rows = next(run for run in runs if run["title"] == first.title and run["threads"] == 1)["rows"]
    ours = next(row["p50"] for row in rows if row["engine"] == OURS)
    theirs = min(row["p50"] for row in rows if row["engine"] != OURS)
    words = TEXT.format(
        cpu=first.run["cpu"],
        title=first.title,
        rate=peer_table.number(first.ours()),
        ratio=first.ratio(),
        engines=len(first.peers),
        count=len(one),
        least=min(ratios),
        most=max(ratios),
        ours=latency_table.number(ours),
        theirs=latency_table.number(theirs),
        elsewhere="; ".join(map(on_other_cpu, marked.on_all_cpus(RESULTS)[1:])),
    )
    return textwrap.fill(words, 130)


def on_other_cpu(path: Path) -> str:
    """Return between which ratios the networks are on another machine."""
    runs = list(load(threads=1, path=path).values())
    ratios = [figures.ratio() for figures in runs]
    return ON_OTHER_CPUS.format(cpu=runs[0].run["cpu"], least=min(ratios), most=max(ratios))


if __name__ == "__main__":
    marked.run(marked.ROOT / "README.md", "headline", text())
