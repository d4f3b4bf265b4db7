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
    rows = sorted(map(row, sorted(MODELS.glob("*.md"), key=lambda card: card.stem)), key=order)
    return marked.as_table([("network", "test accuracy", "parameters", "multiply-adds", "file"), *rows])


def row(card: Path) -> tuple[str, ...]:
    """Return what a card says, as cells."""
    facts = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", card.read_text(encoding="utf-8"), re.MULTILINE))
    accuracy = re.search(r"[\d.]+ ?%", facts["accuracy"])
    size = re.search(r"([\d,]+) bytes", facts["file"])
    if not accuracy or not size:
        raise SystemExit(f"{card.name}: its rows 'accuracy' and 'file' must state a percentage and bytes")
    macs = facts["multiply-adds"].removesuffix(" per image")
    link, file = f"[`{card.stem}`](../models/{card.name})", as_size(int(size[1].replace(",", "")))
    lender = re.search(r"weights of `([^`]+)\.safetensors`", facts["file"])
    return link, accuracy[0], facts["parameters"], macs, f"{file} and those of `{lender[1]}`" if lender else file


def as_size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"


def order(cells: tuple[str, ...]) -> tuple[str, float]:
    """Return what a row is sorted by."""
    return cells[0].partition("-")[0], -float(cells[1].rstrip(" %"))


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "networks.md", "networks", table())
