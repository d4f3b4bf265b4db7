"""The table of photographs in docs/performance.md, from bench/results/photographs.json.

python tools/photograph_table.py          print the table
python tools/photograph_table.py --write  put it into the page, between its markers
python tools/photograph_table.py --check  fail if the page holds another one
"""

from __future__ import annotations

import json
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "photographs.json"

CAPTION = """\
Processor time of a photograph, from the disk to a label, in units of that of cnnfast, whose milliseconds are in the
last row; best of interleaved passes, {threads} threads, {cpu}, on an idle machine; commit {commit}, {day};
{packages}. JPEGs of {bytes} bytes.
The network behind all ways is small (CS61C)."""


def table(runs: list[dict[str, Any]]) -> str:
    """Return a row for each way, and under it what was measured where."""
    names = list(dict.fromkeys((row["way"], row["decodes"]) for run in runs for row in run["rows"]))
    lines = [["way", "decodes", *(f"{run['megapixels']} megapixels" for run in runs)]]
    lines += [[*name, *(relative(run, name[0]) for run in runs)] for name in names if has_time(runs, name[0])]
    lines.append(["cnnfast, ms of a core", "", *(f"{processor(run, 'cnnfast'):.3g}" for run in runs)])
    return f"{marked.as_table(lines, left=(0, 1))}\n\n{caption(runs)}"


def processor(run: dict[str, Any], way: str) -> float | None:
    """Return the milliseconds of a way, where they are known."""
    return next((row["processor_ms"] for row in run["rows"] if row["way"] == way), None)


def has_time(runs: list[dict[str, Any]], way: str) -> bool:
    """Return whether the time of a way is known."""
    return any(processor(run, way) for run in runs)


def relative(run: dict[str, Any], way: str) -> str:
    """Return the time of a way in units of cnnfast's."""
    ours, theirs = processor(run, "cnnfast"), processor(run, way)
    return "" if ours is None or theirs is None else f"{theirs / ours:.2f}"


def caption(runs: list[dict[str, Any]]) -> str:
    """Return what was measured, where, and with what."""
    versions = {name: version for run in runs for name, version in run["versions"].items() if name != "cnnfast"}
    return CAPTION.format(
        **{**runs[0], "bytes": ", ".join(f"{run['bytes']:,}" for run in runs)},
        day=runs[0]["time"][:10],
        packages=", ".join(f"{name} {version}" for name, version in versions.items()),
    )


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "performance.md", "photographs", table(json.loads(RESULTS.read_text())["runs"]))
