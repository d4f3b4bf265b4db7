"""The table of shipped networks in docs/networks.md, from the cards in models/.

python tools/network_table.py          print the table
python tools/network_table.py --write  put it into docs/networks.md, between its markers
python tools/network_table.py --check  fail if docs/networks.md holds another one
"""

from __future__ import annotations

import re
from pathlib import Path

import marked

MODELS = marked.ROOT / "models"


def table() -> str:
    """Return a row for each card: data set by data set, the most accurate network first."""
    rows = sorted((row(card) for card in MODELS.glob("*.md")), key=order)
    return marked.as_table([("network", "test accuracy", "parameters", "multiply-adds", "file"), *rows])


def row(card: Path) -> tuple[str, ...]:
    """Return what a card says, as cells."""
    facts = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", card.read_text(), re.MULTILINE))
    accuracy = re.search(r"[\d.]+ ?%", facts["accuracy"])
    size = re.search(r"([\d,]+) bytes", facts["file"])
    if not accuracy or not size:
        raise SystemExit(f"{card.name}: its rows 'accuracy' and 'file' must state a percentage and bytes")
    megabytes = int(size[1].replace(",", "")) / 1e6
    macs = facts["multiply-adds"].removesuffix(" per image")
    return f"[`{card.stem}`](../models/{card.name})", accuracy[0], facts["parameters"], macs, f"{megabytes:.1f} MB"


def order(cells: tuple[str, ...]) -> tuple[str, float]:
    """Return what a row is sorted by."""
    return cells[0].partition("-")[0], -float(cells[1].rstrip(" %"))


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "networks.md", "networks", table())
