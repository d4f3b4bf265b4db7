"""Write the table of docs/train-a-network.md: what a network knows after it has learned new pictures.

python tools/replay_table.py [--write | --check]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "replay.json"
PAGE = marked.ROOT / "docs" / "train-a-network.md"

WAYS = {"before": "before", "new pictures alone": "new alone", "replay": "`--replay`"}


def table(result: Mapping[str, Any]) -> str:
    """Return how much of what was known, and of what is new, is right."""
    rows: list[Sequence[str]] = [
        ["learned", *(f"known, {way}" for way in WAYS.values()), *(f"new, {w}" for w in WAYS.values())]
    ]
    for what, found in result["found"].items():
        rows.append([what, *(f"{found[way][part]:.1%}" for part in ("known", "new") for way in WAYS)])
    return marked.as_table(rows, left={0})


if __name__ == "__main__":
    marked.run(PAGE, "replay", table(json.loads(RESULTS.read_text())))
