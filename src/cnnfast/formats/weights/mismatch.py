"""What to say when tensors do not fit a network: all of it at once, and the nearest guess."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Iterable

from cnnfast.architectures import ARCHITECTURES, build
from cnnfast.formats.weights.expected import Wanted, wanted
from cnnfast.formats.weights.fit import FILTERS, IN_ORDER, Match, Tensors, WeightLayout, layers_of, match
from cnnfast.graph import Graph
from cnnfast.ops import Shape

LONGEST = 10
"""Rows of each list; the rest is counted."""


def explanation(graph: Graph, tensors: Tensors, layout: WeightLayout, mismatch: Match, others: Tensors) -> str:
    """Return what does not fit, one per line, and what would; ``others`` are tensors that are not floats."""
    lines = [f"the tensors do not fit the architecture ({_ends(graph)})"]
    lines += _choice(mismatch) or _advice(graph, tensors, layout)
    lines += _listed(
        "expected, but not in the file", (_missing(want, tensors, layout, mismatch) for want in mismatch.missing)
    )
    lines += _listed("of another shape", (_misshaped(want, tensors, layout, mismatch) for want in mismatch.misshaped))
    lines += _listed("in the file, but not expected", (f"{name} {tensors[name].shape}" for name in mismatch.extra))
    integers = [f"{name} {array.shape} {array.dtype}" for name, array in others.items() if array.ndim]
    if mismatch.missing and integers:
        lines += _listed("not floats, and so not weights (quantized ones must be dequantized first)", integers)
    return "\n  ".join(lines)


def _choice(mismatch: Match) -> list[str]:
    """Return how to choose where the file has all that is wanted several times, or what is to be left out."""
    if len(mismatch.prefixes) > 1:
        shown = ", ".join(repr(prefix) for prefix in mismatch.prefixes[:LONGEST])
        return [
            f'it fits under several prefixes: {shown}; say which with key="{mismatch.prefixes[0].removesuffix(".")}"'
        ]
    if mismatch.extra and not mismatch.missing and not mismatch.misshaped:
        return [
            "all that is expected is there. If what is left over changes no result (a mean and a std may belong to the "
            "preprocessing), leave it out with ignore_unexpected=True"
        ]
    return []


def _ends(graph: Graph) -> str:
    return f"{next(iter(graph.inputs.values()))} to {graph.shapes[graph.outputs[0]]}"


def _listed(title: str, rows: Iterable[str]) -> list[str]:
    rows = list(rows)
    more = [f"  … and {len(rows) - LONGEST} more"] if len(rows) > LONGEST else []
    return [f"{title}:", *(f"  {row}" for row in rows[:LONGEST]), *more] if rows else []


def _missing(want: Wanted, tensors: Tensors, layout: WeightLayout, mismatch: Match) -> str:
    alike = [name for name in mismatch.extra if tensors[name].shape == layout.shape(want)]
    near = difflib.get_close_matches(want.name, alike or mismatch.extra, n=1, cutoff=0.3)
    return f"{want.name} {layout.shape(want)}" + (f", nearest: {near[0]} {tensors[near[0]].shape}" if near else "")


def _misshaped(want: Wanted, tensors: Tensors, layout: WeightLayout, mismatch: Match) -> str:
    name = mismatch.found[want.constant]
    return f"{name} {tensors[name].shape}, expected {layout.shape(want)}"


def _advice(graph: Graph, tensors: Tensors, layout: WeightLayout) -> list[str]:
    """Return the options with which the file would fit, else the architecture that comes nearest."""
    for name in (layout.filters, *(name for name in FILTERS if name != layout.filters)):
        other = WeightLayout(name, layout.flatten)
        for rename in (None, IN_ORDER):
            if match(graph, tensors, other, rename).is_complete:
                return [_recipe(graph, tensors, layout, other, rename)]
    near = nearest(tensors)
    return [f"the architecture that comes nearest is {near}"] if near else []


def _recipe(graph: Graph, tensors: Tensors, layout: WeightLayout, other: WeightLayout, rename: str | None) -> str:
    options, reasons = [], []
    if other.filters != layout.filters:
        options.append(f'layout="{other.filters}"')
        reasons.append(f"its filters are laid out as {other.filters.upper()}, not {layout.filters.upper()}")
    if rename == IN_ORDER:
        pairs = dict(zip(layers_of(tensors), dict.fromkeys(want.layer for want in wanted(graph)), strict=False))
        shown = ", ".join(f'"{theirs}": "{ours}"' for theirs, ours in list(pairs.items())[:LONGEST])
        whole = len(pairs) <= LONGEST
        options.append(f"rename={{{shown}}}" if whole else f'rename="{IN_ORDER}"')
        reasons.append("its layers have other names, but fit one after the other")
        if whole:
            options[-1] += f' (or rename="{IN_ORDER}")'
    return f"it fits with {', '.join(options)}: {' and '.join(reasons)}; check that this is what the file means"


def nearest(tensors: Tensors) -> str | None:
    """Return the architecture whose shapes are most like those of a file, if one is at all alike.

    Filters may be in any layout, and the number of classes and the size of the image may differ.
    """
    scores = {name: likeness(tensors, name) for name in ARCHITECTURES}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] > 0.6 else None


@functools.cache
def _shapes(architecture: str) -> Counter[Shape]:
    return _kinds(want.shape for want in wanted(build(architecture)))


def _kinds(shapes: Iterable[Shape]) -> Counter[Shape]:
    return Counter(tuple(sorted(shape)) for shape in shapes)


def likeness(tensors: Tensors, architecture: str) -> float:
    """Return the share of equal shapes, from 0 to 1, in whatever order the axes are."""
    theirs, ours = _kinds(array.shape for array in tensors.values()), _shapes(architecture)
    return (theirs & ours).total() / max((theirs | ours).total(), 1)
