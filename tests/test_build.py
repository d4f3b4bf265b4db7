"""What is said where no compiler, or the wrong one, is found: one line, before anything is translated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("setuptools")

ROOT = Path(__file__).resolve().parents[1]

WITHOUT_OPENMP = """\
case " $* " in *" -fopenmp "*) echo "clang: error: unsupported option '-fopenmp'" >&2; exit 1;; esac
exit 0
"""

WITHOUT_LIBGOMP = """\
case " $* " in *" -fopenmp "*) echo "/usr/bin/ld: error: cannot find -lgomp" >&2; exit 1;; esac
exit 0
"""

OF_ANOTHER_KIND = """\
echo "Microsoft (R) C/C++ Optimizing Compiler" >&2
echo "cl : Command line error D8021 : invalid numeric argument '/Wno-unused'" >&2
exit 2
"""


def stand_in(folder: Path, script: str) -> Path:
    path = folder / "cc"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def build(compiler: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", folder, "--build-temp", folder / "temp"]
    environment = {**os.environ, "CC": str(compiler), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(map(str, command), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name != "posix", reason="the fake compilers are shell scripts")
@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (None, "there is no "),
        (WITHOUT_OPENMP, "has no OpenMP (clang: error: unsupported option '-fopenmp')"),
        (WITHOUT_LIBGOMP, "has no OpenMP (/usr/bin/ld: error: cannot find -lgomp)"),
        (OF_ANOTHER_KIND, "does not compile GNU C (cl : Command line error D8021"),
        ("exit 3", "does not compile GNU C (status 3)"),
    ],
)
def test_a_compiler_that_will_not_do_is_said_in_one_line(script: str | None, fault: str, tmp_path: Path) -> None:
    compiler = tmp_path / "missing-cc" if script is None else stand_in(tmp_path, script)
    ran = build(compiler, tmp_path)
    assert ran.returncode != 0
    (line,) = [line for line in ran.stderr.splitlines() if line.strip()]
    assert line.startswith("error: cnnfast is compiled by GCC or Clang with OpenMP; ")
    assert fault in line
    assert str(compiler) in line
    assert "apt install gcc" in line
    assert not (tmp_path / "temp").exists()
