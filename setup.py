"""Builds the one extension, ``cnnfast._kernels``; everything else about the project stands in pyproject.toml.

The micro-kernels in ``src/cnnfast/csrc`` are compiled once for each instruction set with that set's own flags; which
one runs is chosen when the module is imported. The extension itself is compiled for the baseline of the platform.
"""

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CSRC = "src/cnnfast/csrc"
X86_64 = {
    "sse2": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
}
INSTRUCTION_SETS = {"x86_64": X86_64, "AMD64": X86_64, "aarch64": {"neon": []}, "arm64": {"neon": []}}

# Contraction is off because the compiler would choose, tile by tile, which products are fused: equal bits on every CPU
# need a fused multiply-add exactly where the source has one.
COMMON = ["-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-g0"]
OPENMP = ["-fopenmp"]


class BuildWithInstructionSets(build_ext):
    """Compiles each ``isa_<name>.c`` with its own flags and links the objects into the extension."""

    def build_extension(self, ext):
        machine = os.environ.get("CNNFAST_BUILD_MACHINE", platform.machine())
        flags = INSTRUCTION_SETS.get(machine, {"portable": []})
        headers = [str(p) for p in sorted(Path(CSRC).iterdir()) if p.suffix in {".h", ".inc", ".def"}]
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


def extra_flags():
    """Flags from the builder: sanitizers, for example."""
    return os.environ.get("CNNFAST_CFLAGS", "").split()


kernels = Extension(
    "cnnfast._kernels",
    ["src/cnnfast/_kernels.pyx", f"{CSRC}/dispatch.c"],
    include_dirs=[CSRC],
    depends=["src/cnnfast/_csrc.pxd", *map(str, sorted(Path("src/cnnfast").glob("*.pxi")))],
    extra_compile_args=[*COMMON, *OPENMP, *extra_flags()],
    extra_link_args=[*OPENMP, *extra_flags()],
)

setup(
    ext_modules=cythonize([kernels], build_dir="build/cython", show_all_warnings=False),
    cmdclass={"build_ext": BuildWithInstructionSets},
)
