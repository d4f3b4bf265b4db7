"""Layers: ops with their weights, for people who write a network down.

A list of layers is a chain; `Residual` and `Branches` hold lists of their own.

>>> import numpy as np
>>> from cnnfast import Network
>>> net = Network.from_layers(
...     [Conv2d(np.zeros((8, 3, 3, 3)), np.zeros(8), padding=1), Relu(), MaxPool(2), Flatten(),
...      Linear(np.zeros((2, 2048)), np.zeros(2)), Softmax()],
...     input_shape=(3, 32, 32), classes=["cat", "not cat"])
>>> net.predict_proba(np.zeros((5, 3, 32, 32), np.float32), layout="nchw").shape
(5, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Array, Op, Shape

Size = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[int, int, int, int]


@frozen
class Layer:
    """One op with its parameters by name, as arrays."""

    op: Op
    parameters: dict[str, Array]
    name: str | None = None


@frozen
class Residual:
    """The sum of a chain of layers and a shortcut around it; an empty shortcut is the input itself.

    Examples
    --------
    >>> Residual([Relu()]).shortcut
    ()
    """

    body: Sequence[AnyLayer]
    shortcut: Sequence[AnyLayer] = ()
    name: str | None = None


@frozen
class Gate:
    """The input times the result of a chain of layers: squeeze-and-excitation.

    Examples
    --------
    >>> gate = Gate([GlobalAvgPool(), Sigmoid()])
    """

    body: Sequence[AnyLayer]
    name: str | None = None


@frozen
class Branches:
    """Several chains of layers on one input, their results joined along the channels.

    Examples
    --------
    >>> inception = Branches([[Relu()], [MaxPool(3, stride=1, padding=1)]])
    """

    branches: Sequence[Sequence[AnyLayer]]
    name: str | None = None


AnyLayer = Layer | Residual | Gate | Branches


def _layer(op: Op, name: str | None = None, **parameters: object) -> Layer:
    given = {key: constant(value) for key, value in parameters.items() if value is not None}
    return Layer(op, given, name)


def Conv2d(
    weight: object,
    bias: object = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    name: str | None = None,
) -> Layer:
    """Convolution; weight (OC, C / groups, KH, KW), bias (OC,). See `cnnfast.ops.Conv2d`."""
    op = ops.Conv2d(stride, padding, dilation, groups)  # type: ignore[arg-type]
    return _layer(op, name, weight=weight, bias=bias)


def Linear(weight: object, bias: object = None, *, name: str | None = None) -> Layer:
    """Dense layer; weight (O, F), bias (O,). See `cnnfast.ops.Linear`."""
    return _layer(ops.Linear(), name, weight=weight, bias=bias)


def BatchNorm(
    scale: object, shift: object, mean: object, var: object, *, eps: float = 1e-5, name: str | None = None
) -> Layer:
    """Batch normalisation; each parameter (C,). See `cnnfast.ops.BatchNorm`."""
    return _layer(ops.BatchNorm(eps), name, scale=scale, shift=shift, mean=mean, var=var)


def LayerNorm(
    scale: object = None,
    shift: object = None,
    *,
    axes: tuple[int, ...] = (1,),
    eps: float = 1e-5,
    name: str | None = None,
) -> Layer:
    """Layer normalisation; each parameter of the shape of the axes. See `cnnfast.ops.LayerNorm`."""
    return _layer(ops.LayerNorm(axes, eps), name, scale=scale, shift=shift)


def GroupNorm(
    groups: int, scale: object = None, shift: object = None, *, eps: float = 1e-5, name: str | None = None
) -> Layer:
    """Group normalisation; each parameter (C,). See `cnnfast.ops.GroupNorm`."""
    return _layer(ops.GroupNorm(groups, eps), name, scale=scale, shift=shift)


def PRelu(slope: object, *, name: str | None = None) -> Layer:
    """ReLU with a trained slope, (C,) or (1,). See `cnnfast.ops.PRelu`."""
    return _layer(ops.PRelu(), name, slope=slope)


def _plain(op: type[Op]) -> Any:
    """Return a function that makes a layer of an op without parameters, from the attributes of the op."""

    def make(*attributes: Any, name: str | None = None, **more: Any) -> Layer:
        return Layer(op(*attributes, **more), {}, name)

    make.__name__ = make.__qualname__ = op.__name__
    make.__doc__ = f"A layer of `cnnfast.ops.{op.__name__}`, with its attributes."
    return make


MaxPool = _plain(ops.MaxPool)
AvgPool = _plain(ops.AvgPool)
GlobalAvgPool = _plain(ops.GlobalAvgPool)
GlobalMaxPool = _plain(ops.GlobalMaxPool)
Relu = _plain(ops.Relu)
Clip = _plain(ops.Clip)
LeakyRelu = _plain(ops.LeakyRelu)
Elu = _plain(ops.Elu)
Sigmoid = _plain(ops.Sigmoid)
Tanh = _plain(ops.Tanh)
HardSigmoid = _plain(ops.HardSigmoid)
HardSwish = _plain(ops.HardSwish)
Silu = _plain(ops.Silu)
Gelu = _plain(ops.Gelu)
Softmax = _plain(ops.Softmax)
LogSoftmax = _plain(ops.LogSoftmax)
Pad = _plain(ops.Pad)
Flatten = _plain(ops.Flatten)
Reshape = _plain(ops.Reshape)
Transpose = _plain(ops.Transpose)
Lrn = _plain(ops.Lrn)
Dropout = _plain(ops.Dropout)
Identity = _plain(ops.Identity)
Abs = _plain(ops.Abs)
Sqrt = _plain(ops.Sqrt)
Exp = _plain(ops.Exp)
Log = _plain(ops.Log)
Erf = _plain(ops.Erf)
Softplus = _plain(ops.Softplus)
Softsign = _plain(ops.Softsign)
ThresholdedRelu = _plain(ops.ThresholdedRelu)
Mish = _plain(ops.Mish)
ReduceMean = _plain(ops.ReduceMean)
ReduceSum = _plain(ops.ReduceSum)
ReduceMax = _plain(ops.ReduceMax)
ReduceMin = _plain(ops.ReduceMin)
Slice = _plain(ops.Slice)
Resize = _plain(ops.Resize)


def Relu6(name: str | None = None) -> Layer:
    """``min(max(x, 0), 6)``."""
    return Layer(ops.Clip(0.0, 6.0), {}, name)


class Builder:
    """Turns layers into the nodes of a graph, naming each after its op and its number."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._counts: dict[str, int] = {}

    def chain(self, layers: Sequence[AnyLayer], value: str) -> str:
        """Add layers one after the other and return the last value."""
        for layer in layers:
            value = self._add(layer, value)
        return value

    def _add(self, layer: AnyLayer, value: str) -> str:
        if isinstance(layer, Residual):
            return self._join(ops.Add(), layer.name, [self.chain(layer.body, value), self.chain(layer.shortcut, value)])
        if isinstance(layer, Gate):
            return self._join(ops.Mul(), layer.name, [value, self.chain(layer.body, value)])
        if isinstance(layer, Branches):
            return self._join(ops.Concat(), layer.name, [self.chain(b, value) for b in layer.branches])
        if isinstance(layer, Layer):
            name = layer.name or self._next_name(layer.op)
            weights = []
            for parameter, array in layer.parameters.items():
                weights.append(f"{name}.{parameter}")
                self.constants[weights[-1]] = array
            self.nodes.append(Node(name, layer.op, (value, *weights)))
            return name
        raise GraphError(
            f"a network is a list of layers such as Conv2d(...), Relu(), Residual([...]), but one of them is {layer!r}"
        )

    def _join(self, op: Op, name: str | None, values: list[str]) -> str:
        name = name or self._next_name(op)
        self.nodes.append(Node(name, op, tuple(values)))
        return name

    def _next_name(self, op: Op) -> str:
        self._counts[op.name] = self._counts.get(op.name, 0) + 1
        return f"{op.name}_{self._counts[op.name]}"


def build_graph(layers: Sequence[AnyLayer], input_shape: Shape) -> Graph:
    """Return the graph of a list of layers.

    Raises
    ------
    GraphError
        If something in the list is no layer, or shapes do not fit.
    """
    builder = Builder()
    output = builder.chain(layers, "input")
    return Graph({"input": tuple(input_shape)}, tuple(builder.nodes), builder.constants, (output,))
