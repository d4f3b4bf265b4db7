"""From the operators of LiteRT to a graph."""

from __future__ import annotations

import difflib

from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.litert import layers, shapes  # noqa: F401  (each enters its operators)
from cnnfast.formats.litert.registry import OPERATORS, Call
from cnnfast.formats.litert.schema import LiteRtModel, Operator
from cnnfast.graph import Graph
from cnnfast.ops import Array

ONLY_FIRST = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators whose other inputs are shapes, which the file states once more at their output."""

MOST = 100


def build(model: LiteRtModel) -> Graph:
    """Return the graph of a model.

    Raises
    ------
    ModelFileError
        If operators and tensors do not fit.
    UnsupportedError
        If there are operators that cnnfast does not run; all of them are listed.
    """
    operators = _needed(model)
    _check_supported(model, operators)
    graph = ImageGraph()
    source = model.tensors[model.inputs[0]]
    values: dict[int, Value | Array] = {model.inputs[0]: graph.input(source.name, source.shape[1:])}
    for operator in operators:
        name = model.tensors[operator.outputs[0]].name
        try:
            result = OPERATORS[operator.kind](Call(graph, model, operator, name, values))
        except UnsupportedError as error:
            raise UnsupportedError(f"{operator.kind} {name!r}: {error}") from error
        except (GraphError, ModelFileError) as error:
            raise ModelFileError(f"{operator.kind} {name!r}: {error}") from error
        results = result if isinstance(result, list) else [result]
        values.update(zip(operator.outputs, results, strict=False))
    output = values.get(model.outputs[0])
    if not isinstance(output, Value):
        raise ModelFileError("its output does not depend on its input")
    return graph.graph(output)


def _needed(model: LiteRtModel) -> list[Operator]:
    """Return the operators that the output depends on, in the order of the file, where each follows what it reads."""
    wanted, needed = set(model.outputs), []
    for operator in reversed(model.operators):
        if wanted.isdisjoint(operator.outputs):
            continue
        needed.append(operator)
        wanted.update(operator.inputs[:1] if operator.kind in ONLY_FIRST else operator.inputs)
    return needed[::-1]


def _check_supported(model: LiteRtModel, operators: list[Operator]) -> None:
    refused = [operator for operator in operators if operator.kind not in OPERATORS]
    if not refused:
        return
    lines = []
    for operator in refused[:MOST]:
        close = difflib.get_close_matches(operator.kind, sorted(OPERATORS), 1, cutoff=0.5)
        tensor = model.tensors[operator.outputs[0]]
        reason = f"nearest that is supported: {close[0]}" if close else "nothing close is supported"
        lines.append(f"  {tensor.name!r} ({operator.kind:.60}, output {tensor.shape}): {reason}")
    more = f"\n  and {len(refused) - MOST} more" if len(refused) > MOST else ""
    count = "one of its operators" if len(refused) == 1 else f"{len(refused)} of its operators"
    raise UnsupportedError(f"cnnfast does not run {count}:\n" + "\n".join(lines) + more)
