"""Builds the one extension, ``cnnfast._kernels``; everything else about the project stands in pyproject.toml.

The micro-kernels in ``src/cnnfast/csrc`` are compiled once for each instruction set with that set's own flags; which
one runs is chosen when the module is imported. The extension itself is compiled for the baseline of the platform.
What may be set from outside is described in docs/building.md.
"""

import os
import platform
import re
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent / "tools"))

from build_compiler import always_needed, check_compiler, find_openmp, name_of, unknown_to
from build_declarations import CSRC, declarations
from build_readme import project_urls, with_absolute_links

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

INSTRUCTION_SETS = {"x86_64": X86_64, "AMD64": X86_64, "aarch64": AARCH64, "arm64": AARCH64, "ARM64": AARCH64}

# Contraction is off because the compiler would choose, tile by tile, which products are fused: equal bits on every CPU
# need a fused multiply-add exactly where the source has one.
COMMON = ["-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-g0"]

LIMITED_API = os.environ.get("CNNFAST_LIMITED_API") != "0" and not sysconfig.get_config_var("Py_GIL_DISABLED")
"""Whether one module serves Python 3.11 and all later ones; those without a GIL have no such interface."""


class BuildWithInstructionSets(build_ext):
    """Compiles each ``isa_<name>.c`` with its own flags and links the objects into the extension."""

    def finalize_options(self):
        if os.name == "nt" and self.compiler is None:
            self.compiler = "mingw32"  # which runs any compiler with options like those of GCC
            os.environ.setdefault("CC", "clang")
        super().finalize_options()

    def get_libraries(self, ext):
        # on Windows a module of the limited API is linked to the library of all versions
        return [*ext.libraries, "python3"] if os.name == "nt" and LIMITED_API else super().get_libraries(ext)

    def build_extensions(self):
        check_compiler(self.compiler)
        super().build_extensions()

    def build_extension(self, ext):
        # Here and not before, so that a source distribution is made without translating anything.
        from Cython.Build import cythonize

        text = declarations()
        if not DECLARATIONS.exists() or DECLARATIONS.read_text(encoding="utf-8") != text:
            DECLARATIONS.write_text(text, encoding="utf-8")
        (translated,) = cythonize([ext], build_dir="build/cython", show_all_warnings=False)
        ext.sources = translated.sources
        self.add_openmp(ext)
        self.needed = always_needed(self.compiler)
        ext.extra_compile_args += self.needed
        headers = [str(p) for p in sorted(Path(CSRC).rglob("*")) if p.suffix in {".h", ".inc", ".def"}]
        ext.depends = [*ext.depends, *headers]
        sets = self.choose_sets(ext)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for objects in pool.map(lambda item: self.compile_set(*item, headers), sets.items()):
                ext.extra_objects += objects
        super().build_extension(ext)
        remove_stale(Path(self.get_ext_fullpath(ext.name)))

    def copy_extensions_to_source(self):
        super().copy_extensions_to_source()
        package = Path(self.get_finalized_command("build_py").get_package_dir("cnnfast"))
        remove_stale(package / Path(self.get_ext_filename(kernels.name)).name)

    def add_openmp(self, ext):
        """Compile with OpenMP if there is one."""
        openmp = find_openmp(self.compiler, os.environ.get("CNNFAST_OPENMP", ""))
        if openmp.missing:
            print(f"built without OpenMP, so that calls compute with one thread: {openmp.missing}")
        ext.extra_compile_args += openmp.compile
        ext.extra_link_args += openmp.link

    def choose_sets(self, ext):
        """Return the instruction sets to compile, with their flags, and tell the extension which are left out."""
        machine = os.environ.get("CNNFAST_BUILD_MACHINE", platform.machine())
        sets = dict(INSTRUCTION_SETS.get(machine, {"portable": []}))
        if "portable" in sets:
            ext.define_macros.append(("CNNFAST_PORTABLE", None))
        for name in unknown_to(self.compiler, {name: flags for name, flags in sets.items() if name in OPTIONAL}):
            flags = " ".join(sets.pop(name))
            print(f"built without {name}: {name_of(self.compiler.compiler_so)} does not know {flags}")
            ext.define_macros.append((f"CNNFAST_WITHOUT_{name.upper()}", None))
        return sets

    def compile_set(self, name, flags, headers):
        """Compile the micro-kernels for one instruction set."""
        return self.compiler.compile(
            [f"{CSRC}/isa_{name}.c"],
            output_dir=self.build_temp,
            extra_postargs=[*COMMON, *self.needed, *extra_flags(), *flags],
            depends=headers,
        )


def remove_stale(built):
    """Remove modules of earlier builds with other names, which some Python would import instead of this one."""
    stem = built.name.partition(".")[0]
    for path in built.parent.glob(f"{stem}.*"):
        # those of Pythons without a GIL are for these alone
        serves_others = re.search(r"\.cp(ython-)?3\d+t-", path.name)
        if path != built and path.suffix in {".so", ".pyd"} and not serves_others:
            path.unlink()


def extra_flags():
    """Flags from the builder: sanitizers, for example."""
    return os.environ.get("CNNFAST_CFLAGS", "").split()


kernels = Extension(
    "cnnfast._kernels",
    ["src/cnnfast/_kernels.pyx", f"{CSRC}/dispatch.c"],
    include_dirs=[CSRC],
    depends=[*map(str, sorted(Path("src/cnnfast/kernels").glob("*.pxi")))],
    define_macros=[("Py_LIMITED_API", "0x030b0000")] if LIMITED_API else [],
    extra_compile_args=[*COMMON, *extra_flags()],
    extra_link_args=extra_flags(),
    py_limited_api=LIMITED_API,
)

REPOSITORY = os.environ.get("CNNFAST_REPOSITORY", "")

setup(
    long_description=with_absolute_links(Path("README.md").read_text(encoding="utf-8"), REPOSITORY),
    long_description_content_type="text/markdown",
    project_urls=project_urls(REPOSITORY),
    # found, because a list by hand forgets a new folder; the shipped networks lie outside of src
    packages=[*find_packages("src"), "cnnfast.models"],
    ext_modules=[kernels],
    cmdclass={"build_ext": BuildWithInstructionSets},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
