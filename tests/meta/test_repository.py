"""What may be in the repository and in the wheel, and what may not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
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


def tracked() -> list[Path]:
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("this is no git checkout")
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


@pytest.mark.slow
def test_wheel(tmp_path: Path) -> None:
    """It holds the module, the networks and their cards; no generated C, no tests; below 1 MB without the networks."""
    checkout = tmp_path / "checkout"
    for path in tracked():
        copy = checkout / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(checkout)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        members = {info.filename: info for info in archive.infolist()}
    networks = {p.name for p in (ROOT / "models").glob("*.safetensors")}
    packed = {name.rsplit("/", 1)[1] for name in members if name.startswith("cnnfast/models/")}
    assert networks <= packed
    assert any(re.match(r"cnnfast/_kernels\..*\.(so|pyd)", name) for name in members)
    assert {"cnnfast/py.typed", "cnnfast/_kernels.pyi"} <= set(members)
    assert not [name for name in members if re.search(r"\.(c|h|pyx|pxi|pxd|inc|def|o)$", name)]
    assert not [name for name in members if name.split("/")[0] in {"tests", "bench", "docs", "models"}]
    rest = sum(info.compress_size for name, info in members.items() if not name.endswith(".safetensors"))
    assert rest < 1_000_000
