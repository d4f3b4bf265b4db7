"""The search of ``tools/fuzz_files.py``: what a process finds, and that one which crashes or hangs is found itself."""

from __future__ import annotations

from pathlib import Path

import fuzz_files
import pytest
from fuzz_files import GRAPHS, KINDS, main, search
from systems import posix

PROGRAM = """
import os, signal, sys, time
seed = int(sys.argv[sys.argv.index("--seed") + 1])
for number in range(seed, 8):
    print(f"try {number}", flush=True)
    if number == 3:
        %s
    print(f"done {'ValueError: odd at there.py:7' if number == 5 else 'read'} 0.125", flush=True)
"""


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGSEGV)", "the process ended with -11", marks=posix),
        ("sys.exit('no memory')", "the process ended with 1: no memory"),
        ("time.sleep(60)", "hangs"),
        ("print('x' * (1 << 20), file=sys.stderr)", ""),
    ],
)
def test_a_process_that_ends_badly_is_found_and_the_search_goes_on(
    trouble: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM % trouble)
    # a busy machine needs seconds to start Python
    monkeypatch.setattr(fuzz_files, "PATIENCE", 5.0 if said == "hangs" else 60.0)
    found = search("odd", 1, 60, 7, str(program))
    lines = capsys.readouterr().out.splitlines()
    assert found == 1 + bool(said)
    assert [line for line in lines if line.startswith("odd, seed 3: ")] == ([f"odd, seed 3: {said}"] if said else [])
    assert "odd, seed 5: ValueError: odd at there.py:7" in lines
    read, slowest = 5 if said else 6, "5.00" if said == "hangs" else "0.12"
    assert lines[-1] == f"odd: 7 tried, {read} read, 0 refused, {found} found; the slowest took {slowest} s"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_tries_some(kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files = 3 if kind == GRAPHS else 20
    words = [kind, "--seed", "1", "--files", str(files), "--seconds", "100"]
    monkeypatch.setattr("sys.argv", ["fuzz_files.py", *words])
    assert main() == 0
    assert f"{kind}: {files} tried, " in capsys.readouterr().out
