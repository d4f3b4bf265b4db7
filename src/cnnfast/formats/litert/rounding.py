"""Rounding downwards and toward zero, written out in ops that exist."""

from __future__ import annotations

from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.ops import Abs, Mul, Relu, Round, Sign, Sub


def floor(graph: ImageGraph, name: str, x: Value) -> Value:
    """Append the largest integer that is not above ``x``: the nearest one, less 1 where that is above."""
    nearest = graph.each(f"{name}/nearest", Round(), x)
    above = graph.pair(f"{name}/difference", Sub(), nearest, x)
    one = graph.each(f"{name}/one", Relu(), graph.each(f"{name}/sign", Sign(), above))
    return graph.pair(name, Sub(), nearest, one)


def truncated(graph: ImageGraph, name: str, x: Value) -> Value:
    """Append ``x`` without what is behind the decimal point."""
    sign = graph.each(f"{name}/side", Sign(), x)
    size = floor(graph, f"{name}/size", graph.each(f"{name}/absolute", Abs(), x))
    return graph.pair(name, Mul(), sign, size)
