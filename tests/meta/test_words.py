"""The words of the project: each class name once, and the phrases of the style guide stay away."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "cnnfast"

PHRASES = {
    r"Tell whether": "Return whether",
    r"(?<![Tt]here )\b(is|are|was|were) no (?!(longer|more|less|matter|faster|slower)\b)": "is not a, has no",
    r"\b(goes|go|went|going) on\b(?! to\b)": "continues, resumes",
    r"\bso many\b": "that many",
    r"\bswallow": "fuse",
    r"\banew\b": "again",
    r"\b(no|some|any)body\b": "no one, a caller, the user",
    r"\bwhoever\b": "a caller who, those who",
    r"\bbeside\b": "next to, with, besides",
    r"\b(lie|lies)\b(?! (between|on|along)\b)": "is, is in, is stored",
    r"\b(stand|stands|stood)\b(?! for\b)(?!ard)": "is, is in",
    r"\bof others\b|\bother people": "third-party",
    r"\b(row|line|folder|file|page) an? (image|picture|class|epoch|layer|node|op|step|label|fact)\b": "one ... per ...",
    r"\bfrom nothing\b": "from scratch",
    r"\b(the )?same bits\b|\bequal to the bit\b": "bit-identical",
    r"\bsurest\b": "most confident",
}
"""What is not written, as a pattern, and what is written instead."""

TEXT = {".py", ".pyi", ".pyx", ".pxi", ".pxd", ".c", ".h", ".inc", ".def", ".md", ".sh"}


@cache
def lines() -> list[tuple[str, str]]:
    """Return where each line is, and the line, of all files that people read but records of the past."""
    folders = ("src", "docs", "examples", "bench", "tools", "models", "tests")
    files = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in TEXT]
    files += [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    lists = {Path(__file__), ROOT / "docs" / "glossary.md"}  # which name the phrases, to say what is written instead
    made = {"_kernels.c", "_csrc.pxd"}
    kept = sorted(p for p in files if p not in lists and "results" not in p.parts and p.name not in made)
    return [
        (f"{path.relative_to(ROOT)}:{number}", line.strip())
        for path in kept
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


def found(phrase: str) -> list[str]:
    """Return where a phrase occurs."""
    pattern = re.compile(phrase)
    return [f"{place}: {line}" for place, line in lines() if pattern.search(line)]


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_stays_away(phrase: str) -> None:
    places = found(phrase)
    assert not places, f"write {PHRASES[phrase]!r} instead:\n" + "\n".join(places)


def test_a_class_name_means_one_thing() -> None:
    """A reader who meets `Layer` must not have to ask whose."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(path.relative_to(SOURCE).as_posix())
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}
