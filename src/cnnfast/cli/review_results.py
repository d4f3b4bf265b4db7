"""``--review`` of ``find`` and ``classify``: the page that corrects their results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnfast.review.order import ordered
from cnnfast.review.page import write_page
from cnnfast.review.results import read_results

MOST = 1000
"""Pictures on the page; `cnnfast review --limit` shows more."""


def write_review(results: Path, page: Path, classes: Sequence[str]) -> str:
    """Write a page of the most doubtful results, and return a line about it."""
    cards, _ = read_results(results)
    if not cards:
        return "no picture has a result, so there is no page to correct them"
    shown = ordered(cards, "uncertain")[:MOST]
    part = f"the first {len(shown):,} of {len(cards):,}" if len(shown) < len(cards) else f"{len(cards):,}"
    failed = write_page(page, shown, classes, f"{results.name}: {part} pictures, uncertain ones first")
    missing = f"; {len(failed):,} are empty there, the first because of {failed[0]}" if failed else ""
    return f"a page to correct them: {page}{missing}"
