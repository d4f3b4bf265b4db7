"""What the headers of the kernels offer, as Cython reads it: setup.py writes it to ``src/cnnfast/_csrc.pxd``."""

import re
from pathlib import Path

CSRC = "src/cnnfast/csrc"


def declarations():
    """Return what the C headers offer, as Cython reads it: their enums, structures, kernels and functions."""
    last = Path(CSRC, "dispatch.h").read_text(encoding="utf-8")
    headers = re.findall(r'^#include "(.*\.h)"', last, re.MULTILINE)
    code = "".join(Path(CSRC, name).read_text(encoding="utf-8") for name in headers) + last
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
        text = Path(CSRC, path).read_text(encoding="utf-8")
        for result, name, arguments in re.findall(r"^KERNEL\((\w+), (\w+), \((.*)\)\)$", text, re.MULTILINE):
            kinds = re.sub(r" ?\w+(?=,|$)", "", arguments).replace("*const *", "**").replace(" *", "*")
            lines += [f"        {result} (*{name})(", f"            {kinds}) noexcept nogil"]
    return lines
