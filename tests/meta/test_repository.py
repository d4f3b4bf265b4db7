"""What may be in the repository, and what may not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = [
    r"/(work|home|root)/(?!me\b)\w+",
    r"\b(10|127|192\.168|172\.16)\.\d+\.\d+(?:\.\d+)?:\d{2,5}\b",
    r"(?:index-url|extra-index-url|trusted-host)",
    r"BEGIN (?:RSA|OPENSSH|EC) PRIVATE KEY",
]
"""Paths of one machine, hosts of one network, keys."""

TEXT = {".py", ".pyx", ".pxi", ".pxd", ".pyi", ".c", ".h", ".inc", ".def", ".md", ".toml", ".json", ".txt", ".cfg", ""}


def tracked(*options: str) -> list[Path]:
    """Return the files that git knows; options of ``git ls-files`` add others."""
    command = ["git", "ls-files", "--cached", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in run.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_of_this_machine_is_in_a_tracked_file() -> None:
    pattern = re.compile("|".join(FORBIDDEN))
    found = []
    for path in tracked():
        if path.suffix in TEXT and path != Path(__file__):
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if match := pattern.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert not found, "\n".join(found)


def test_nothing_that_is_built_or_downloaded_is_tracked() -> None:
    bad = {".so", ".o", ".a", ".pyc", ".whl", ".gz", ".zip", ".png", ".jpg", ".jpeg", ".webp", ".npz"}
    built = [p for p in tracked() if p.suffix in bad and p.relative_to(ROOT).parts[0] not in {"docs", "bench"}]
    assert not built
    assert not [p for p in tracked() if p.name == "_kernels.c"]


def test_the_commands_of_the_readme_exist() -> None:
    """Every file that a command of the README names is there, and every subcommand is one."""
    from cnnfast.cli import main

    blocks = re.findall(r"```(?:sh|bash|console|shell)?\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for line in "\n".join(blocks).splitlines():
        words = line.removeprefix("$ ").split()
        for word in words:
            if re.fullmatch(r"(?:tests|bench|docs|models|tools)/[\w/.-]+", word):
                assert (ROOT / word).exists(), line
        if words[:1] == ["cnnfast"] and len(words) > 1 and not words[1].startswith("-"):
            assert main([words[1], "--help"]) == 0, line
