"""The tables of docs/kernels.md, from the two lists of kernels: `_kernels.KERNELS` and csrc/kernels.def.

python tools/kernel_table.py          print the tables
python tools/kernel_table.py --write  put them into docs/kernels.md, between its markers
python tools/kernel_table.py --check  fail if docs/kernels.md holds others
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import marked

from cnnfast.runtime.dispatch import kernels

RESULTS = marked.ROOT / "bench" / "results" / "kernels"

CSRC = marked.ROOT / "src" / "cnnfast" / "csrc"

CAPTION = """\
Operations of direct convolution, in % of the peak of multiply-adds of the same instruction set, measured in the same
run, over all layers of the networks {networks} of `bench/networks.py`, one core: {cpu}, commit {commit}.
What does no multiply-adds (pools, copies, activations) waits for memory, not for arithmetic."""

OF_INTEGERS = """\
In % of the peak of products of bytes of the same instruction set and way of multiplying, in the same run, over the
layers of the networks {networks_of_integers} after `cnnfast.quantize`. A layer whose products take as long as its bytes
need to be read, requantized and stored (1×1, depthwise, all by `amx`) stays far below."""

LISTS = {
    "Layout `chwn<L>`: images in the lanes": ("chwn", False),
    "Layout `nchw<L>c`: one image, channels in the lanes": ("nchwc", False),
    "Layout `nchw`: the textbook loops": ("nchw", False),
    "Training: layout `chwn<L>`": ("chwn", True),
}
"""Layout, and whether for training, by title."""


def tables() -> str:
    """Return all tables as Markdown."""
    parts = []
    for title, key in LISTS.items():
        rows = [
            (code(k.name), " ".join(k.ints), " ".join(k.floats), ", ".join(notes(k)))
            for k in kernels.KERNELS.values()
            if (k.layout, k.trains) == key
        ]
        header = ("kernel", "geometry", "attributes", "threads")
        parts += [f"### {title}: {len(rows)} kernels", marked.as_table([header, *rows])]
    micro = micro_kernels()
    rows = [(code(name), code(arguments), code(home(name))) for name, arguments in micro]
    parts += [
        f"### Micro-kernels: {len(micro)} for each instruction set",
        marked.as_table([("micro-kernel", "arguments", "in csrc/"), *rows]),
    ]
    return "\n\n".join([*parts, *shares()])


def notes(kernel: Any) -> list[str]:
    """Return how threads that share an image run a kernel, where that is not one step after the other."""
    return ["share a step"] * kernel.splits + ["do not wait for it"] * (not kernel.needs_barrier)


def shares() -> list[str]:
    """Return how near the kernels come to the peaks of each CPU, from the results of bench/kernel_shares.py."""
    return [part for path in sorted(RESULTS.glob("*.json")) for part in shares_of(path)]


def shares_of(path: Path) -> list[str]:
    """Return the tables of one CPU."""
    run = json.loads(path.read_text(encoding="utf-8"))
    names = {key: ", ".join(run[key]) for key in ("networks", "networks_of_integers")}
    cpu = f"{run['cpu']} ({path.stem.replace('_', ' ')})"
    floats = [row for row in run["rows"] if "_u8_" not in row["kernel"]]
    integers = [row for row in run["rows"] if "_u8_" in row["kernel"]]
    return [
        f"### How near the peak: {cpu}",
        CAPTION.format(**run | names),
        share_table(floats),
        f"### How near the peak of products of bytes: {cpu}",
        OF_INTEGERS.format(**names),
        share_table(integers),
    ]


def share_table(rows: list[dict[str, Any]]) -> str:
    """Return the shares of kernels and kinds of layer, a column for each instruction set, the best one first."""
    found = {(row["kernel"], row["kind"], row["isa"]): f"{100 * row['share']:.0f}" for row in rows}
    isas = list(dict.fromkeys(row["isa"] for row in rows))[::-1]
    pairs = sorted({(row["kernel"], row["kind"]) for row in rows})
    cells = [(code(kernel), kind, *(found.get((kernel, kind, isa), "") for isa in isas)) for kernel, kind in pairs]
    return marked.as_table([("kernel", "layer", *isas), *cells])


def micro_kernels() -> list[tuple[str, str]]:
    """Return the name and the arguments of every entry of both lists of micro-kernels."""
    lines = [
        line for path in ("", "int8", "int8/nchwc") for line in (CSRC / path / "kernels.def").read_text().splitlines()
    ]
    entries = [re.fullmatch(r"KERNEL\(\w+, (\w+), \((.*)\)\)", line) for line in lines if line.startswith("KERNEL(")]
    return [(entry[1], entry[2]) for entry in entries if entry]


def home(name: str) -> str:
    """Return the file that defines a micro-kernel."""
    (found,) = (
        f.relative_to(CSRC).as_posix()
        for f in CSRC.rglob("*.inc")
        if re.search(rf"^static \w+ {name}\(", f.read_text(), re.MULTILINE)
    )
    return found


def code(text: str) -> str:
    """Return text in the type of code."""
    return f"`{text}`"


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "kernels.md", "kernels", tables())
