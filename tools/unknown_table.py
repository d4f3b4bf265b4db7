"""Write two tables of docs/probabilities.md: what is called unknown, and by which measure it could be.

python tools/unknown_table.py [--write | --check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "unknown_images.json"
PAGE = marked.ROOT / "docs" / "probabilities.md"

KINDS = {
    "test": "CIFAR-10 test images",
    "cats and dogs": "cats and dogs",
    "digits": "MNIST digits",
    "noise": "noise",
    "other things": "other things",
}
ODD = ("digits", "noise", "other things")


def rates(result: Mapping[str, Any]) -> str:
    """Return what each network calls unknown by the threshold in its file."""
    counts = result["images"]
    rows = [["network", *(f"{text} ({counts[kind]:,})" for kind, text in KINDS.items())]]
    for name, found in result["networks"].items():
        rows.append([f"`{name}`", *(f"{found['own_threshold'][kind]:.1%}" for kind in KINDS)])
    return marked.as_table(rows, left={0})


def ways(result: Mapping[str, Any]) -> str:
    """Return AUROC and share called unknown for each measure, and for other networks by familiarity."""
    rows: list[Sequence[str]] = [["by", *(KINDS[kind] for kind in ODD)]]
    rows += [[way, *_cells(found)] for way, found in result["ways"].items()]
    rows += [
        [f"familiarity in `{name}`", *_cells(found["familiarity"])]
        for name, found in list(result["networks"].items())[1:]
    ]
    return marked.as_table(rows, left={0})


def _cells(found: Mapping[str, Sequence[float]]) -> list[str]:
    return [f"{found[kind][0]:.3f} ({found[kind][1]:.0%})" for kind in ODD]


def main() -> None:
    """Print both tables, or put them into the page."""
    result = json.loads(RESULTS.read_text())
    for name, text in (("unknown-rates", rates(result)), ("unknown-ways", ways(result))):
        marked.run(PAGE, name, text)
        if not sys.argv[1:]:
            print()


if __name__ == "__main__":
    main()
