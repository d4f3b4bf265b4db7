"""Compiles all C of the extension for systems that are not at hand, with the Clang in the package ``ziglang``.

    python tools/other_systems.py [TARGET]...        all of `TARGETS` by default

Nothing is linked or run: it shows that the sources fit the headers of each system and the intrinsics of each CPU. Needs
cnnfast built in place, whose translated module is compiled, and ``ziglang``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "build" / "cython" / "src" / "cnnfast" / "_kernels.c"
CSRC = ROOT / "src" / "cnnfast" / "csrc"
AVX512 = "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma"
X86_64 = {
    "sse2": "",
    "avx2": "-mavx2 -mfma",
    "avx2vnni": "-mavx2 -mfma -mavxvnni",
    "avx512": AVX512,
    "avx512vnni": f"{AVX512} -mavx512vnni",
    "avx512amx": f"{AVX512} -mavx512vnni -mamx-tile -mamx-int8",
}
AARCH64 = {"neon": "", "neondot": "-mcpu=generic+dotprod"}

TARGETS = {
    "x86_64-windows-gnu": X86_64,
    "aarch64-macos": AARCH64,
    "aarch64-linux-gnu.2.17": AARCH64,
    "riscv64-linux-gnu": {"portable": ""},
}
"""Where Clang compiles for, and the instruction sets with their flags: Zig names CPUs in its own way."""

PYCONFIG = """\
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_PID_T 4
#define ALIGNOF_MAX_ALIGN_T 16
#define HAVE_STDINT_H 1
#if defined(_WIN32)
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define HAVE_DECLSPEC_DLL
#define Py_ENABLE_SHARED 1
#define SIZEOF_LONG 4
#define SIZEOF_WCHAR_T 2
#else
#define SIZEOF_LONG 8
#define SIZEOF_WCHAR_T 4
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#endif
"""
"""What Python's own build finds out about a system with 64 bits, as far as the limited API asks."""


def headers(folder: Path) -> Path:
    """Return a copy of Python's headers with the configuration of any system."""
    own = folder / "include"
    for kind in ("include", "platinclude"):
        shutil.copytree(sysconfig.get_path(kind), own, dirs_exist_ok=True)
    (own / "pyconfig.h").write_text(PYCONFIG)
    return own


def jobs(targets: list[str], include: Path, folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Return (target, source, command) of everything to compile, what takes longest first."""
    found = []
    for target in targets:
        sources = {MODULE: "-DPy_LIMITED_API=0x030b0000", CSRC / "dispatch.c": ""}
        sources |= {CSRC / f"isa_{name}.c": flags for name, flags in TARGETS[target].items()}
        for source, flags in sources.items():
            # the tiles are as long as their loops are written out: optimizing them takes minutes and shows nothing more
            options = f"-target {target} -c -O0 -std=gnu11 -Wall -Werror -Wno-unused-function {flags}"
            own = [f"-I{include}"] if source == MODULE else []
            made = folder / f"{target}-{source.stem}.o"
            if "portable" in TARGETS[target]:
                options += " -DCNNFAST_PORTABLE"
            command = [sys.executable, "-m", "ziglang", "cc", *shlex.split(options), *own, f"-I{CSRC}", str(source)]
            found.append((target, source, [*command, "-o", str(made)]))
    return sorted(found, key=lambda job: job[1].stem.startswith("isa"), reverse=True)


def main(targets: list[str]) -> int:
    unknown = [name for name in targets if name not in TARGETS]
    if unknown:
        sys.exit(f"{', '.join(unknown)}: not one of {', '.join(TARGETS)}")
    if not MODULE.exists():
        sys.exit(f"there is no {MODULE.relative_to(ROOT)}: build cnnfast in place first")
    start, failed = time.monotonic(), set()
    with TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(name)
        work = jobs(targets or list(TARGETS), headers(folder), folder)
        cache = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "cache"), "ZIG_LOCAL_CACHE_DIR": str(folder / "cache")}

        def run(command: list[str]) -> subprocess.CompletedProcess[str]:
            return subprocess.run(command, env={**os.environ, **cache}, capture_output=True, text=True, check=False)

        for (target, source, _), ran in zip(work, pool.map(run, [command for *_, command in work]), strict=True):
            if ran.returncode:
                failed.add(target)
                print(f"{target}: {source.name} does not compile\n{ran.stderr}")
    for target in targets or TARGETS:
        print(f"{target}: {'FAILED' if target in failed else 'compiles'}")
    print(f"{len(work)} files, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
