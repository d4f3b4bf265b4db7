"""The table of loading and planning in docs/benchmarking.md, from bench/results/load.json.

python tools/load_table.py          print the table
python tools/load_table.py --write  put it into the page, between its markers
python tools/load_table.py --check  fail if the page holds another one
"""

from __future__ import annotations

import json
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "load.json"

FORMS = {
    "chain": "a chain: each node reads the one before",
    "wide sum": "a wide sum: half of the nodes read the input, half add them up",
    "cut": "cut and joined: a value in pieces of one channel, joined in the opposite order",
}

SHOWN = (100, 1_000, 10_000, 20_000)
"""The plot has all sizes."""

CAPTION = """\
Seconds of processor time to load + to plan, the fastest of three, {cpu}, on a busy machine; commit
{commit}. A file of more than 20,000 nodes is refused."""


def table(results: dict[str, Any]) -> str:
    """Return a row for each form and format, and under it what was measured where."""
    rows = results["rows"]
    sizes = sorted({row["nodes"] for row in rows} & set(SHOWN))
    lines = [["network", "file", *(f"{n:,} nodes" for n in sizes)]]
    for form, words in FORMS.items():
        for format_ in ("cnnfast", "onnx"):
            times = {r["nodes"]: r for r in rows if (r["form"], r["format"]) == (form, format_)}
            cells = (f"{times[n]['load']:.2g} + {times[n]['plan']:.2g}" if n in times else "" for n in sizes)
            lines.append([words, format_, *cells])
    return f"{marked.as_table(lines, left=(0, 1))}\n\n{CAPTION.format(**results)}"


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "benchmarking.md", "load", table(json.loads(RESULTS.read_text())))
