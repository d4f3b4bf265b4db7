"""Gives Wine the complex functions that NumPy's and SciPy's wheels for Windows call, and that Wine 8 lacks.

    python tools/wine_math.py SITE FOLDER            the packages to change, and where python.exe is

All modules in SITE then call a library in FOLDER, which computes these functions itself, with MinGW's, and passes all
others on to Wine's. Needs gcc-mingw-w64-x86-64.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

WINE = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/ucrtbase.dll")
THEIRS, OURS = b"api-ms-win-crt-math-l1-1-0.dll", b"cnnfast-for-wine-complex-0.dll"
TO_REAL = ("cabs", "carg", "cimag", "creal")
CIRCULAR = tuple(f"c{arc}{name}" for arc in ("", "a") for name in ("sin", "cos", "tan"))
TO_COMPLEX = ("cexp", "clog", "conj", "cproj", "csqrt", *CIRCULAR, *(f"{name}h" for name in CIRCULAR))
KINDS = {"f": ("float", "f"), "": ("double", ""), "l": ("double", "")}
"""Real type and suffix of MinGW's function by suffix; there long double is double, and a complex number a structure."""


def source() -> str:
    """Return the functions in C."""
    lines = ["#include <complex.h>"]
    for suffix, (real, own) in KINDS.items():
        pair, number = f"pair{suffix}", f"{real} _Complex"
        lines.append(f"typedef union {{ struct {{ {real} re, im; }} as; {number} z; }} convert{suffix};")
        lines.append(f"typedef struct {{ {real} re, im; }} {pair};")
        lines.append(f"static {number} in{suffix}({pair} a) {{ convert{suffix} c = {{{{a.re, a.im}}}}; return c.z; }}")
        lines.append(f"static {pair} out{suffix}({number} z) {{ return ({pair}){{creal{own}(z), cimag{own}(z)}}; }}")
        a, b = f"in{suffix}(a)", f"in{suffix}(b)"
        lines += [f"{real} our_{f}{suffix}({pair} a) {{ return {f}{own}({a}); }}" for f in TO_REAL]
        lines += [f"{pair} our_{f}{suffix}({pair} a) {{ return out{suffix}({f}{own}({a})); }}" for f in TO_COMPLEX]
        lines.append(f"{pair} our_cpow{suffix}({pair} a, {pair} b) {{ return out{suffix}(cpow{own}({a}, {b})); }}")
    return "\n".join(lines) + "\n"


def exports() -> str:
    """Return what the library offers: its own functions, and all others of Wine's."""
    command = ["x86_64-w64-mingw32-objdump", "-p", WINE]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    table = shown.rpartition("[Ordinal/Name Pointer] Table")[2]
    names = re.findall(r"^\t\[ *\d+\] ([A-Za-z_]\w*)$", table, re.MULTILINE)
    own = {f"{name}{suffix}" for name in [*TO_REAL, *TO_COMPLEX, "cpow"] for suffix in KINDS}
    theirs = [f"{name} = ucrtbase.{name}" for name in names if name not in own]
    return "\n".join(["EXPORTS", *theirs, *(f"{name} = our_{name}" for name in sorted(own))]) + "\n"


def main(site: Path, folder: Path) -> None:
    with TemporaryDirectory() as name:
        (code := Path(name, "complex.c")).write_text(source(), encoding="utf-8")
        (offered := Path(name, "complex.def")).write_text(exports(), encoding="utf-8")
        options = ["-shared", "-O1", "-static", "-o", folder / OURS.decode()]
        subprocess.run(["x86_64-w64-mingw32-gcc-posix", *options, code, offered], check=True)
    for path in site.rglob("*"):
        if path.suffix in {".pyd", ".dll"} and THEIRS in (content := path.read_bytes()):
            path.write_bytes(content.replace(THEIRS, OURS))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
