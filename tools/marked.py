"""What scripts write into pages: the text between ``<!-- name:begin … -->`` and ``<!-- name:end -->``."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def on_all_cpus(results: Path) -> list[Path]:
    """Return a results file, and those of the same script on other machines, in the folder that is named after it."""
    return [results, *sorted(results.with_name(f"{results.stem}_on_other_cpus").glob("*.json"))]


def as_table(rows: Sequence[Sequence[str]], left: Container[int] | None = None) -> str:
    """Return a table in Markdown, its head in the first row; all columns but those in ``left`` end at the right."""
    head, *body = rows
    rule = ["---" if left is None or i in left else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *body))


def replaced(page: str, name: str, text: str) -> str:
    """Return a page with new text between the markers of a name, which must be there once."""
    pattern = rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)"
    result, count = re.subn(pattern, lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the markers of {name!r} must be in the page once, but are there {count} times")
    return result


def run(page: Path, name: str, text: str) -> None:
    """Print a text; with ``--write`` put it into its page, with ``--check`` fail if the page holds another one."""
    if sys.argv[1:] == ["--write"]:
        page.write_text(replaced(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    elif sys.argv[1:] == ["--check"]:
        if replaced(page.read_text(encoding="utf-8"), name, text) != page.read_text(encoding="utf-8"):
            raise SystemExit(f"{page.relative_to(ROOT)} is out of date: run python {sys.argv[0]} --write")
    else:
        print(text)
