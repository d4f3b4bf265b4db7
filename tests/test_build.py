"""What a build does with the compiler that it finds: what is wrong with one is said in one line, and what one lacks is
left out. The compilers are scripts that stand for missing, wrong and old ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("setuptools")

from build_compiler import always_needed

ROOT = Path(__file__).resolve().parents[1]

WITHOUT_OPENMP = """\
case " $* " in *" -fopenmp "*) echo "clang: error: unsupported option '-fopenmp'" >&2; exit 1;; esac
exit 0
"""

WITHOUT_LIBGOMP = """\
case " $* " in *" -fopenmp "*) echo "/usr/bin/ld: error: cannot find -lgomp" >&2; exit 1;; esac
exit 0
"""

OLD = """\
case " $* " in
    *" -mavxvnni "* | *" -mamx-tile "* | *" -mavx512vnni "* | *" -march=armv8.2-a+dotprod "*)
        echo "cc: error: unrecognized command line option" >&2; exit 1;;
esac
case " $* " in
    *probe.c*) ;;
    *) out=; for word; do [ "$last" = -o ] && out=$word; last=$word; done; : >"$out"; echo "$@" >>"$0.log"; exit 0;;
esac
exec COMPILER "$@"
"""
"""Makes an empty file of everything but the probes, so that a whole build takes no time."""

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


def build(compiler: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", folder, "--build-temp", folder / "temp"]
    own = {"CC": str(compiler), "LDSHARED": str(compiler), "PYTHONWARNINGS": "ignore", **variables}
    environment = {name: value for name, value in {**os.environ, **own}.items() if value != "unset"}
    return subprocess.run(map(str, command), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name != "posix", reason="the fake compilers are shell scripts")
@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (None, "there is no "),
        (OF_ANOTHER_KIND, "does not compile GNU C (cl : Command line error D8021"),
        ("exit 3", "does not compile GNU C (status 3)"),
    ],
)
def test_a_compiler_that_will_not_do_is_said_in_one_line(script: str | None, fault: str, tmp_path: Path) -> None:
    compiler = tmp_path / "missing-cc" if script is None else stand_in(tmp_path, script)
    ran = build(compiler, tmp_path)
    assert ran.returncode != 0
    (line,) = [line for line in ran.stderr.splitlines() if line.strip()]
    assert line.startswith("error: cnnfast is compiled by GCC or Clang; ")
    assert fault in line
    assert str(compiler) in line
    assert "apt install gcc" in line
    assert not (tmp_path / "temp").exists()


@pytest.mark.skipif(os.name != "posix", reason="the fake compilers are shell scripts")
@pytest.mark.parametrize(
    ("wish", "script", "said"),
    [
        ("1", WITHOUT_OPENMP, "CNNFAST_OPENMP=1, but {} has no OpenMP (clang: error: unsupported option '-fopenmp'); "),
        ("1", WITHOUT_LIBGOMP, "CNNFAST_OPENMP=1, but {} has no OpenMP (/usr/bin/ld: error: cannot find -lgomp); "),
        ("yes", "exit 0", "CNNFAST_OPENMP='yes': must be 0 (without), 1 (required) or unset"),
    ],
)
def test_who_needs_openmp_learns_that_there_is_none(wish: str, script: str, said: str, tmp_path: Path) -> None:
    compiler = stand_in(tmp_path, script)
    ran = build(compiler, tmp_path, CNNFAST_OPENMP=wish)
    assert ran.returncode != 0
    assert ran.stderr.splitlines()[-1].startswith("error: " + said.format(compiler))


def built(folder: Path) -> str:
    (module,) = folder.glob("cnnfast/_kernels*")
    return module.name


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_compiler_that_lacks_flags_builds_what_it_can(tmp_path: Path) -> None:
    compiler = stand_in(tmp_path, OLD.replace("COMPILER", str(shutil.which("gcc"))))
    ran = build(compiler, tmp_path, CNNFAST_BUILD_MACHINE="x86_64", CNNFAST_OPENMP="0")
    assert ran.returncode == 0, ran.stderr
    for name, flag in {"avx2vnni": "-mavxvnni", "avx512vnni": "-mavx512vnni", "avx512amx": "-mamx-int8"}.items():
        assert re.search(rf"^built without {name}: {compiler} does not know .*{flag}$", ran.stdout, re.MULTILINE)
    calls = (tmp_path / "cc.log").read_text()
    assert {f"isa_{name}.c" in calls for name in ("sse2", "avx2", "avx512")} == {True}
    assert "isa_avx2vnni.c" not in calls
    assert "-DCNNFAST_WITHOUT_AVX512AMX" in calls
    assert "built without OpenMP, so that calls compute with one thread: CNNFAST_OPENMP=0" in ran.stdout
    assert "-fopenmp" not in calls


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="this Python has no limited API")
def test_a_module_of_an_earlier_build_does_not_hide_the_new_one(tmp_path: Path) -> None:
    """It serves every version from 3.11 on unless that is switched off; Pythons without a GIL keep their own."""
    compiler = stand_in(tmp_path, OLD.replace("COMPILER", str(shutil.which("gcc"))))
    (tmp_path / "cnnfast").mkdir()
    old = tmp_path / "cnnfast" / "_kernels.cpython-311-x86_64-linux-gnu.so"
    free = tmp_path / "cnnfast" / "_kernels.cpython-314t-x86_64-linux-gnu.so"
    old.touch()
    free.touch()
    assert build(compiler, tmp_path, CNNFAST_LIMITED_API="unset").returncode == 0
    assert "-DPy_LIMITED_API=0x030b0000" in (tmp_path / "cc.log").read_text()
    assert free.exists()
    free.unlink()
    assert built(tmp_path) == "_kernels.abi3.so"
    assert build(compiler, tmp_path, CNNFAST_LIMITED_API="0").returncode == 0
    assert re.fullmatch(r"_kernels\.cpython-3\d+-.*\.so", built(tmp_path))


@pytest.mark.parametrize(
    ("compiler", "needed"), [("gcc", []), ("x86_64-w64-mingw32-gcc-posix", ["-Wa,-muse-unaligned-vector-move"])]
)
def test_gcc_for_windows_moves_no_vector_to_the_stack_as_if_that_were_aligned(compiler: str, needed: list[str]) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    assert always_needed(SimpleNamespace(compiler_so=[compiler])) == needed
