"""Lowers each node to kernel steps.

There is one rule for each op, registered with `rule`. A rule emits steps; a `Fused` node emits those of its base and then
those of its tail, in place where possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph
from cnnfast.ops import (
    Activation,
    Add,
    Array,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv2d,
    Dropout,
    Elu,
    Flatten,
    Fused,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    Identity,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Lrn,
    MaxPool,
    Mul,
    Op,
    Pad,
    PRelu,
    Reshape,
    Shape,
    Softmax,
    Transpose,
)
from cnnfast.plan.step import Step

NAIVE = "the textbook loop, image by image"

Rule = Callable[["Lowering", Any, "Site"], None]
RULES: dict[type[Op], Rule] = {}


@dataclass(frozen=True)
class Site:
    """Where an op stands: its node, the values that it reads, and the value that it makes."""

    node: str
    inputs: tuple[str, ...]
    result: str


@dataclass
class Lowering:
    """The steps so far, the shapes of their values, and the values that are another one under a new shape."""

    graph: Graph
    steps: list[Step] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def emit(self, site: Site, kernel: str, operands: tuple[str, ...], **options: Any) -> None:
        """Append one step of kernel ``<kernel>_f32_nchw_naive``."""
        self.steps.append(
            Step(
                node=site.node,
                kernel=f"{kernel}_f32_nchw_naive",
                operands=tuple(self.float32(v) if v in self.graph.constants else v for v in operands),
                result=site.result,
                reason=NAIVE,
                **options,
            )
        )

    def float32(self, name: str) -> Array:
        """Return a constant as the kernels read it."""
        return packed(self.graph.constants[name])

    def parameters(self, site: Site, first: int = 1, count: int = 2) -> tuple[Array | None, ...]:
        """Return ``count`` parameters from input ``first`` on; those left out are None."""
        names = site.inputs[first : first + count]
        return tuple(self.float32(v) for v in names) + (None,) * (count - len(names))


def packed(array: Array) -> Array:
    """Return an array as float32, contiguous and read-only."""
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(array, dtype=np.float32)
    result.flags.writeable = False
    return result


def rule(*ops: type[Op]) -> Callable[[Rule], Rule]:
    """Register a function as the rule of one or more ops."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


def lower(graph: Graph) -> Lowering:
    """Return the steps that compute a graph.

    Raises
    ------
    UnsupportedError
        If an op or a rank has no kernel; all such nodes are listed.
    """
    lowering = Lowering(graph, shapes=dict(graph.shapes))
    problems = []
    for node in graph.nodes:
        try:
            _lower_op(lowering, node.op, Site(node.name, node.inputs, node.name))
        except UnsupportedError as error:
            problems.append(f"{node.name} ({node.op.name}): {error}")
    if problems:
        raise UnsupportedError("no kernel for these nodes:\n  " + "\n  ".join(problems))
    _materialise_constants(lowering)
    return lowering


def _lower_op(lowering: Lowering, op: Op, site: Site) -> None:
    found = next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)
    if found is None:
        raise UnsupportedError(f"there is no kernel for {op.name}")
    found(lowering, op, site)


def _materialise_constants(lowering: Lowering) -> None:
    """Copy each graph output that is a constant into the arena, from where outputs are read."""
    for name in lowering.graph.outputs:
        if name in lowering.graph.constants:
            count = math.prod(lowering.shapes[name])
            lowering.emit(Site(name, (name,), name), "copy", (name,), ints=_block((1, 1, count), (0, 0, 1), (0, 0, 1)))


@rule(Fused)
def _fused(lowering: Lowering, op: Fused, site: Site) -> None:
    parts = op.steps(*site.inputs)
    shape: Shape | None = None
    value = ""
    for index, (part, inputs) in enumerate(parts):
        reads = inputs if shape is None else (value, *inputs)
        value = site.result if index == len(parts) - 1 else f"{site.result}:{index}"
        shape = part.shape(*(lowering.shapes[v] for v in reads))
        lowering.shapes[value] = shape
        _lower_op(lowering, part, Site(site.node, reads, value))


@rule(Conv2d)
def _conv2d(lowering: Lowering, op: Conv2d, site: Site) -> None:
    (c, h, w), (oc, oh, ow) = lowering.shapes[site.inputs[0]], lowering.shapes[site.result]
    kh, kw = lowering.shapes[site.inputs[1]][2:]
    ints = dict(C=c, H=h, W=w, OC=oc, OH=oh, OW=ow, KH=kh, KW=kw, SH=op.stride[0], SW=op.stride[1])
    ints |= dict(PT=op.padding[0], PL=op.padding[1], DH=op.dilation[0], DW=op.dilation[1], groups=op.groups)
    lowering.emit(site, "conv2d", site.inputs[:1], ints=ints, parameters=lowering.parameters(site))


@rule(Linear)
def _linear(lowering: Lowering, op: Linear, site: Site) -> None:
    outputs, features = lowering.shapes[site.inputs[1]]
    ints = dict(F=features, O=outputs)
    lowering.emit(site, "linear", site.inputs[:1], ints=ints, parameters=lowering.parameters(site))


def _pool_ints(lowering: Lowering, op: MaxPool | AvgPool, site: Site) -> dict[str, int]:
    (c, h, w), (_, oh, ow) = lowering.shapes[site.inputs[0]], lowering.shapes[site.result]
    ints = dict(C=c, H=h, W=w, OH=oh, OW=ow, KH=op.kernel[0], KW=op.kernel[1], SH=op.stride[0], SW=op.stride[1])
    return ints | dict(PT=op.padding[0], PL=op.padding[1], DH=op.dilation[0], DW=op.dilation[1])


@rule(MaxPool)
def _max_pool(lowering: Lowering, op: MaxPool, site: Site) -> None:
    lowering.emit(site, "max_pool", site.inputs, ints=_pool_ints(lowering, op, site))


@rule(AvgPool)
def _avg_pool(lowering: Lowering, op: AvgPool, site: Site) -> None:
    _, h, w = lowering.shapes[site.inputs[0]]
    divisors = packed(op.divisors(h, w))
    lowering.emit(site, "avg_pool", site.inputs, ints=_pool_ints(lowering, op, site), parameters=(divisors,))


@rule(GlobalAvgPool, GlobalMaxPool)
def _global_pool(lowering: Lowering, op: Op, site: Site) -> None:
    lowering.emit(site, op.name, site.inputs, ints=_per_channel(lowering, site))


def _per_channel(lowering: Lowering, site: Site) -> dict[str, int]:
    shape = lowering.shapes[site.inputs[0]]
    return dict(C=shape[0], HW=math.prod(shape[1:]))


@rule(BatchNorm)
def _batch_norm(lowering: Lowering, op: BatchNorm, site: Site) -> None:
    statistics = [np.asarray(lowering.graph.constants[v], np.float64) for v in site.inputs[1:]]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor, shift = op.factors(*statistics)
    ints = _per_channel(lowering, site)
    lowering.emit(
        site, "affine", site.inputs[:1], ints=ints, parameters=(packed(factor), packed(shift)), in_place=True
    )


@rule(PRelu)
def _prelu(lowering: Lowering, op: PRelu, site: Site) -> None:
    ints = _per_channel(lowering, site)
    slope = packed(np.broadcast_to(lowering.graph.constants[site.inputs[1]], (ints["C"],)))
    lowering.emit(site, "prelu", site.inputs[:1], ints=ints, parameters=(slope,), in_place=True)


@rule(Activation)
def _activation(lowering: Lowering, op: Activation, site: Site) -> None:
    kernel = "gelu_tanh" if isinstance(op, Gelu) and op.approximate == "tanh" else op.name
    floats = op.attributes() if isinstance(op, Clip | LeakyRelu | Elu | HardSigmoid) else {}
    count = math.prod(lowering.shapes[site.result])
    lowering.emit(site, kernel, site.inputs[:1], ints=dict(count=count), floats=floats, in_place=True)


@rule(Softmax, LogSoftmax)
def _softmax(lowering: Lowering, op: Softmax | LogSoftmax, site: Site) -> None:
    outer, size, inner = _around(lowering.shapes[site.result], op.axis)
    ints = dict(outer=outer, K=size, inner=inner)
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=True)


def _around(shape: Shape, axis: int) -> tuple[int, int, int]:
    """Return (product before, size, product behind) of an axis that counts from N = 0."""
    return math.prod(shape[: axis - 1]), shape[axis - 1], math.prod(shape[axis:])


@rule(Add, Mul)
def _arithmetic(lowering: Lowering, op: Op, site: Site) -> None:
    whole = _three_axes(lowering.shapes[site.result])
    a, b = (_broadcast_strides(_three_axes(lowering.shapes[v]), whole) for v in site.inputs)
    ints = dict(zip("ABC", whole, strict=True))
    ints |= {f"a{i}": a[i] for i in range(3)} | {f"b{i}": b[i] for i in range(3)}
    # a sum in place must not overwrite the second operand's elements before they are read: equal values are safe too
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=a == _strides(whole))


def _three_axes(shape: Shape) -> tuple[int, int, int]:
    if len(shape) > 3:
        raise UnsupportedError(f"more than three axes: {shape}")
    first, second, third = (1,) * (3 - len(shape)) + tuple(shape)
    return first, second, third


def _strides(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    return shape[1] * shape[2], shape[2], 1


def _broadcast_strides(shape: tuple[int, int, int], whole: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the strides of an operand, 0 along the axes on which it is repeated."""
    own = _strides(shape)
    a, b, c = (0 if shape[i] == 1 < whole[i] else own[i] for i in range(3))
    return a, b, c


def _block(
    shape: tuple[int, int, int], source: tuple[int, int, int], target: tuple[int, int, int], at: int = 0
) -> dict[str, int]:
    """Return the geometry of a copy."""
    ints = dict(zip("ABC", shape, strict=True))
    return ints | {f"a{i}": source[i] for i in range(3)} | {f"y{i}": target[i] for i in range(3)} | {"at": at}


@rule(Concat)
def _concat(lowering: Lowering, op: Concat, site: Site) -> None:
    outer, total, inner = _around(lowering.shapes[site.result], op.axis)
    start = 0
    for value in site.inputs:
        size = lowering.shapes[value][op.axis - 1]
        block = (outer, size, inner)
        ints = _block(block, _strides(block), (total * inner, inner, 1), at=start * inner)
        lowering.emit(site, "copy", (value,), ints=ints)
        start += size


@rule(Pad)
def _pad(lowering: Lowering, op: Pad, site: Site) -> None:
    source = _three_axes(lowering.shapes[site.inputs[0]])
    target = _three_axes(lowering.shapes[site.result])
    lowering.emit(site, "fill", (), ints=dict(count=math.prod(target)), floats=dict(value=op.value))
    at = op.padding[0] * target[2] + op.padding[1]
    lowering.emit(site, "copy", site.inputs, ints=_block(source, _strides(source), _strides(target), at))


@rule(Transpose)
def _transpose(lowering: Lowering, op: Transpose, site: Site) -> None:
    source = lowering.shapes[site.inputs[0]]
    strides = [math.prod(source[i + 1 :]) for i in range(len(source))]
    moved = [strides[axis - 1] for axis in op.order[1:]]
    a, b, c = [0] * (3 - len(moved)) + moved
    target = _three_axes(lowering.shapes[site.result])
    lowering.emit(site, "copy", site.inputs, ints=_block(target, (a, b, c), _strides(target)))


@rule(Lrn)
def _lrn(lowering: Lowering, op: Lrn, site: Site) -> None:
    ints = _per_channel(lowering, site) | dict(size=op.size)
    lowering.emit(site, "lrn", site.inputs, ints=ints, floats=dict(alpha=op.alpha, beta=op.beta, bias=op.bias))


@rule(Flatten, Reshape, Identity, Dropout)
def _alias(lowering: Lowering, op: Op, site: Site) -> None:
    (source,) = site.inputs
    if source in lowering.graph.constants:
        count = math.prod(lowering.shapes[source])
        lowering.emit(site, "copy", (source,), ints=_block((1, 1, count), (0, 0, 1), (0, 0, 1)))
    else:
        lowering.aliases[site.result] = source
