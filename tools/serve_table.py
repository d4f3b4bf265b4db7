"""The table of servers in docs/serving.md, from bench/results/serve.json.

python tools/serve_table.py          print the table
python tools/serve_table.py --write  put it into docs/serving.md, between its markers
python tools/serve_table.py --check  fail if docs/serving.md holds another one
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "serve.json"

NAMES = {"n5": "ResNet-20"}
PEERS = {"fastapi": "FastAPI, ONNX Runtime", "litserve": "LitServe"}

HEAD = ["network", "what is sent", "requests/s", "p50", "p99", "CPU a request"]
HEAD += [title for peer in PEERS.values() for title in (f"{peer}: requests/s", "p99", "CPU")]
HEAD += ["CPU ÷ FastAPI"]

CAPTION = """\
Times in ms, CPU in µs. {cpu}, two cores, of which wrk takes a part as well{busy}; {versions}; commit {commit}, {day}.
Ready after {ready} s; {memory} MB at most. {health}"""

BUSY = 1.5
"""The load before a run from which on other programs must have run too."""


def table(results: dict[str, Any]) -> str:
    """Return a row for each network and load, and under it what was measured where."""
    lines = [HEAD]
    for model, found in results.items():
        for what, servers in found["rows"].items():
            if what != "seconds until ready":
                lines.append([NAMES.get(model, model), what.replace("1 callers", "1 caller"), *cells(servers)])
    return f"{marked.as_table(lines, left=(0, 1))}\n\n{caption(results)}"


def cells(servers: dict[str, Any]) -> Iterator[str]:
    """Yield what was measured of all servers with one load."""
    own = servers["cnnfast"]
    yield from (f"{own['requests_per_s']:,.0f}", number(own["p50_ms"]), number(own["p99_ms"]), f"{own['cpu_us']:,.0f}")
    for peer in PEERS:
        row = servers.get(peer)
        yield from (
            (f"{row['requests_per_s']:,.0f}", number(row["p99_ms"]), f"{row['cpu_us']:,.0f}") if row else ("",) * 3
        )
    yield f"**{own['cpu_us'] / servers['fastapi']['cpu_us']:.2f}**" if "fastapi" in servers else ""


def number(value: float) -> str:
    """Return milliseconds with two or three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def caption(results: dict[str, Any]) -> str:
    """Return what was measured where, and what is not in the table."""
    machine = next(iter(results.values()))["machine"]
    rows = [found["rows"] for found in results.values()]
    ready = [row["seconds until ready"]["cnnfast"] for row in rows]
    memory = max(
        row["cnnfast"]["memory_mb"] for found in rows for row in found.values() if isinstance(row["cnnfast"], dict)
    )
    health = [
        f"{row['cnnfast']['health_p50_ms']:.1f} ms of {NAMES.get(model, model)}"
        for model, found in results.items()
        for what, row in found["rows"].items()
        if "queue" in what
    ]
    load = max(found["machine"]["load"] for found in results.values())
    return CAPTION.format(
        **{key: machine[key] for key in ("cpu", "commit")},
        versions=", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        day=machine["time"][:10],
        busy=f", while other programs ran (load {load:.1f}), so that only CPU times compare" if load > BUSY else "",
        ready=f"{min(ready):.2f} to {max(ready):.2f}",
        memory=f"{memory:.0f}",
        health=f"With 200 callers and a short queue health answers in {', '.join(health)} (medians).",
    )


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "serving.md", "serve", table(json.loads(RESULTS.read_text())))
