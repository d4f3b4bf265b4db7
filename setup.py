"""Builds the one extension, ``cnnfast._kernels``; everything else about the project stands in pyproject.toml.

The micro-kernels in ``src/cnnfast/csrc`` are compiled once for each instruction set with that set's own flags; which
one runs is chosen when the module is imported. The extension itself is compiled for the baseline of the platform.
"""

import os
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

CSRC = "src/cnnfast/csrc"
DECLARATIONS = Path("src/cnnfast/_csrc.pxd")
X86_64 = {
    "sse2": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
}
X86_64["avx2vnni"] = [*X86_64["avx2"], "-mavxvnni"]
X86_64["avx512vnni"] = [*X86_64["avx512"], "-mavx512vnni"]
X86_64["avx512amx"] = [*X86_64["avx512vnni"], "-mamx-tile", "-mamx-int8"]
AARCH64 = {"neon": [], "neondot": ["-march=armv8.2-a+dotprod"]}
OPTIONAL = ("avx2vnni", "avx512vnni", "avx512amx", "neondot")
"""What older compilers do not know: integers do without, in products of 16 bits or dot products."""

INSTRUCTION_SETS = {"x86_64": X86_64, "AMD64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}

# Contraction is off because the compiler would choose, tile by tile, which products are fused: equal bits on every CPU
# need a fused multiply-add exactly where the source has one.
COMMON = ["-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-g0"]
OPENMP = ["-fopenmp"]

NEEDED = "cnnfast is compiled by GCC or Clang with OpenMP"
ADVICE = "install one (Debian, Ubuntu: apt install gcc; Fedora: dnf install gcc) or name it, as in CC=gcc-14"

PROBES = {
    "does not compile GNU C": (
        ["-std=gnu11"],
        "typedef float four __attribute__((vector_size(16)));\n"
        "int main(void) { four x = {0, 1, 2, 3}; x += x; return x[0] != 0; }\n",
    ),
    "has no OpenMP": (
        OPENMP,
        "#include <omp.h>\nint main(void) {\nint n = 0;\n#pragma omp parallel reduction(+ : n)\n"
        "n += 1;\nreturn n > omp_get_max_threads();\n}\n",
    ),
}
"""Programs that a compiler must be able to make, by what is wrong with one that cannot."""


class BuildWithInstructionSets(build_ext):
    """Compiles each ``isa_<name>.c`` with its own flags and links the objects into the extension."""

    def build_extensions(self):
        check_compiler(self.compiler)
        super().build_extensions()

    def build_extension(self, ext):
        # Here and not before, so that a source distribution is made without translating anything.
        from Cython.Build import cythonize

        text = declarations()
        if not DECLARATIONS.exists() or DECLARATIONS.read_text() != text:
            DECLARATIONS.write_text(text)
        (translated,) = cythonize([ext], build_dir="build/cython", show_all_warnings=False)
        ext.sources = translated.sources
        machine = os.environ.get("CNNFAST_BUILD_MACHINE", platform.machine())
        flags = dict(INSTRUCTION_SETS.get(machine, {"portable": []}))
        if "portable" in flags:
            ext.define_macros.append(("CNNFAST_PORTABLE", None))
        for name in unknown_to(self.compiler, flags):
            print(f"built without {name}: {self.compiler.compiler_so[0]} does not know {' '.join(flags.pop(name))}")
            ext.define_macros.append((f"CNNFAST_WITHOUT_{name.upper()}", None))
        headers = [str(p) for p in sorted(Path(CSRC).rglob("*")) if p.suffix in {".h", ".inc", ".def"}]
        ext.depends = [*ext.depends, *headers]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for objects in pool.map(lambda item: self.compile_set(*item, headers), flags.items()):
                ext.extra_objects += objects
        super().build_extension(ext)

    def compile_set(self, name, flags, headers):
        """Compile the micro-kernels for one instruction set."""
        return self.compiler.compile(
            [f"{CSRC}/isa_{name}.c"],
            output_dir=self.build_temp,
            extra_postargs=[*COMMON, *extra_flags(), *flags],
            depends=headers,
        )


def declarations():
    """Return what the C headers offer, as Cython reads it: their enums, structures, kernels and functions."""
    last = Path(CSRC, "dispatch.h").read_text()
    headers = re.findall(r'^#include "(.*\.h)"', last, re.MULTILINE)
    code = "".join(Path(CSRC, name).read_text() for name in headers) + last
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    lines = [f"# Made by setup.py from the headers in {CSRC}.", "from libc.stdint cimport *", ""]
    lines += ['cdef extern from "dispatch.h" nogil:', "    cdef enum:"]
    names = re.findall(r"^#define (\w+) \d+$", code, re.MULTILINE)
    for body in re.findall(r"^enum \w+ \{(.*?)\};", code, re.DOTALL | re.MULTILINE):
        names += re.findall(r"\w+", body)
    lines += [f"        {name}" for name in names]
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", code, re.DOTALL):
        lines += ["", f"    ctypedef struct {name}:", *structure(body)]
    lines += ["", *(f"    ctypedef {kind} noexcept nogil" for kind in re.findall(r"typedef (\w+ \(\*.*\));", code))]
    lines += ["", *(f"    {function}" for function in re.findall(r"^(\w[\w *]*\w\([^()]*\));", code, re.MULTILINE))]
    return "\n".join(lines).replace("(void)", "()") + "\n"


def structure(body):
    """Return the fields of a C structure; where it includes kernels.def, a pointer to each kernel."""
    lines = []
    for field in re.sub(r"^#.*", "", body, flags=re.MULTILINE).split(";"):
        kind, declared = re.match(r"\s*((?:const )?(?:un)?(?:signed )?\w*)(.*)", field, re.DOTALL).groups()
        for name in declared.split(",") if kind else ():
            stars, name, size = re.match(r"\s*(\**)(\w+)(\[\d+\])?", name).groups()
            lines.append(f"        {kind}{stars}{size or ''} {name}")
    for path in re.findall(r'#include "(.*kernels\.def)"', body):
        text = Path(CSRC, path).read_text()
        for result, name, arguments in re.findall(r"^KERNEL\((\w+), (\w+), \((.*)\)\)$", text, re.MULTILINE):
            kinds = re.sub(r" ?\w+(?=,|$)", "", arguments).replace("*const *", "**").replace(" *", "*")
            lines += [f"        {result} (*{name})(", f"            {kinds}) noexcept nogil"]
    return lines


def check_compiler(compiler):
    """Say in one line what is wrong with the compiler, before any of its own messages do."""
    if compiler.compiler_type == "msvc":
        raise CompileError(f"{NEEDED}; Microsoft's compiler is neither; {ADVICE}")
    command = compiler.compiler_so
    if shutil.which(command[0]) is None:
        raise CompileError(f"{NEEDED}; there is no {command[0]}; {ADVICE}")
    name = " ".join(takewhile(lambda word: not word.startswith("-"), command))
    with TemporaryDirectory() as folder:
        for fault, (flags, program) in PROBES.items():
            source = Path(folder, "probe.c")
            source.write_text(program)
            made = subprocess.run(
                [*command, *flags, str(source), "-o", str(source.with_suffix(""))], capture_output=True, text=True
            )
            if made.returncode:
                said = next((line for line in made.stderr.splitlines() if "error" in line), f"status {made.returncode}")
                raise CompileError(f"{NEEDED}; {name} {fault} ({said.strip()}); {ADVICE}")


def unknown_to(compiler, flags):
    """Return the optional instruction sets whose flags a compiler does not know."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("int probe;\n")
        command = [*compiler.compiler_so, "-Werror", "-c", str(source), "-o", str(source.with_suffix(".o"))]
        probes = {n: subprocess.run([*command, *flags[n]], capture_output=True) for n in OPTIONAL if n in flags}
    return [name for name, probe in probes.items() if probe.returncode]


def extra_flags():
    """Flags from the builder: sanitizers, for example."""
    return os.environ.get("CNNFAST_CFLAGS", "").split()


kernels = Extension(
    "cnnfast._kernels",
    ["src/cnnfast/_kernels.pyx", f"{CSRC}/dispatch.c"],
    include_dirs=[CSRC],
    depends=[*map(str, sorted(Path("src/cnnfast/kernels").glob("*.pxi")))],
    extra_compile_args=[*COMMON, *OPENMP, *extra_flags()],
    extra_link_args=[*OPENMP, *extra_flags()],
)

setup(
    # found, because a list by hand forgets a new folder; the shipped networks lie outside of src
    packages=[*find_packages("src"), "cnnfast.models"],
    ext_modules=[kernels],
    cmdclass={"build_ext": BuildWithInstructionSets},
)
