"""What the compiler at hand can do, found out by trying: setup.py asks, and builds with what there is."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools.errors import CompileError

NEEDED = "cnnfast is compiled by GCC or Clang"
ADVICE = "install one (Debian, Ubuntu: apt install gcc; Fedora: dnf install gcc) or name it, as in CC=gcc-14"
ON_WINDOWS = "install LLVM, whose clang is found on the PATH, or name a compiler, as in CC=clang"

GNU_C = """\
typedef float four __attribute__((vector_size(16)));
int main(void) { four x = {0, 1, 2, 3}; x += x; return x[0] != 0; }
"""

OPENMP_C = """\
#include <omp.h>
int main(void) {
    int n = 0;
#pragma omp parallel reduction(+ : n)
    n += 1;
    return n > omp_get_max_threads();
}
"""

# GCC's own header counts strides in long, which Windows has with 32 bits: the assembler then refuses the load.
INSTRUCTIONS_C = """\
#ifdef __AMX_TILE__
#include <immintrin.h>
void probe(const void *from, long long stride) { _tile_loadd(0, from, stride); }
#endif
"""

GCC_FOR_WINDOWS_C = """\
#if !defined(_WIN32) || defined(__clang__)
#error another compiler or system
#endif
"""

HOMEBREW = ("/opt/homebrew/opt/libomp", "/usr/local/opt/libomp")


@dataclass
class OpenMP:
    """Options that turn OpenMP on, or why it stays off."""

    compile: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    missing: str = ""


def ways_to_openmp():
    """Return how compilers are told of OpenMP, in the order in which they are tried."""
    ways = [OpenMP(("-fopenmp",), ("-fopenmp",))]
    if sys.platform == "darwin":
        # Apple's Clang has the pragmas but not the library
        folders = [os.environ.get("LIBOMP_PREFIX", ""), *HOMEBREW]
        ways += [
            OpenMP(("-Xpreprocessor", "-fopenmp", f"-I{folder}/include"), (f"-L{folder}/lib", "-lomp"))
            for folder in filter(os.path.isdir, folders)
        ]
    return ways


def check_compiler(compiler):
    """Say in one line what is wrong with the compiler, before any of its own messages do."""
    if compiler.compiler_type == "msvc":
        raise CompileError(f"{NEEDED}; Microsoft's compiler is neither; {ON_WINDOWS}")
    command = compiler.compiler_so
    if shutil.which(command[0]) is None:
        raise CompileError(f"{NEEDED}; there is no {command[0]}; {advice()}")
    if fault := fault_of(command, GNU_C, ["-std=gnu11"]):
        raise CompileError(f"{NEEDED}; {name_of(command)} does not compile GNU C ({fault}); {advice()}")


def advice():
    return ON_WINDOWS if os.name == "nt" else ADVICE


def name_of(command):
    """Return the words of a command up to its first option."""
    return " ".join(takewhile(lambda word: not word.startswith("-"), command))


def find_openmp(compiler, wish):
    """Return the options of OpenMP; ``wish`` is "0" for none, "1" if the build must have it, else what there is."""
    if wish not in ("", "0", "1"):
        raise CompileError(f"CNNFAST_OPENMP={wish!r}: must be 0 (without), 1 (required) or unset (if there is one)")
    if wish == "0":
        return OpenMP(missing="CNNFAST_OPENMP=0")
    faults = []
    for way in ways_to_openmp():
        fault = fault_of(compiler.compiler_so, OPENMP_C, way.compile, way.link)
        if not fault:
            return way
        faults.append(fault)
    reason = f"{name_of(compiler.compiler_so)} has no OpenMP ({faults[0]})"
    if wish == "1":
        raise CompileError(f"CNNFAST_OPENMP=1, but {reason}; {advice()}")
    return OpenMP(missing=reason)


def fault_of(command, program, options, link=()):
    """Return what a compiler says of a program that it cannot make, or nothing."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(program, encoding="utf-8")
        line = [*command, *options, str(source), "-o", str(source.with_suffix("")), *link]
        made = subprocess.run(line, capture_output=True, text=True)
    if not made.returncode:
        return ""
    return next((said.strip() for said in made.stderr.splitlines() if "error" in said), f"status {made.returncode}")


def always_needed(compiler):
    """Return options without which a compiler makes code that crashes.

    GCC aligns the stack to no more than 16 bytes on Windows, but moves vectors to it as if it did.
    """
    is_gcc_for_windows = not fault_of(compiler.compiler_so, GCC_FOR_WINDOWS_C, ["-c"])
    return ["-Wa,-muse-unaligned-vector-move"] if is_gcc_for_windows else []


def unknown_to(compiler, flags):
    """Return the names of those flags that a compiler does not know, or whose instructions it gets wrong."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(INSTRUCTIONS_C, encoding="utf-8")
        command = [*compiler.compiler_so, "-Werror", "-c", str(source), "-o", str(source.with_suffix(".o"))]
        return [name for name, own in flags.items() if subprocess.run([*command, *own], capture_output=True).returncode]
