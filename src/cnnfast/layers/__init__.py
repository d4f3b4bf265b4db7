"""Layers, for people who write a network down: with their weights, or with their sizes alone.

A list of layers is a chain; `Residual`, `Gate` and `Branches` hold lists of their own. Layers that are given sizes get
random weights from `cnnfast.Network.build`:

>>> from cnnfast import Network
>>> net = Network.build(
...     [Conv2d(8, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Linear(2), Softmax()],
...     input_shape=(3, 32, 32), classes=["cat", "not cat"])
>>> net.graph.constants["conv2d_1.weight"].shape
(8, 3, 3, 3)

Layers that are given arrays have the weights already:

>>> import numpy as np
>>> net = Network.from_layers(
...     [Conv2d(np.zeros((8, 3, 3, 3)), np.zeros(8), padding=1), Relu(), MaxPool(2), Flatten(),
...      Linear(np.zeros((2, 2048)), np.zeros(2)), Softmax()],
...     input_shape=(3, 32, 32), classes=["cat", "not cat"])
>>> net.predict_proba(np.zeros((5, 3, 32, 32), np.float32), layout="nchw").shape
(5, 2)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, overload

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, GraphBuilder, constant
from cnnfast.layers.lazy import LazyLayer, Padding, Size, is_number, lazy_channels, lazy_conv2d, lazy_linear
from cnnfast.ops import Array, Op, Shape
from cnnfast.runtime.arguments import listed, quoted, shape_of


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


AnyLayer = Layer | LazyLayer | Residual | Gate | Branches


def _layer(op: Op, name: str | None = None, **parameters: object) -> Layer:
    given = {key: _numbers(op, key, value) for key, value in parameters.items() if value is not None}
    return Layer(op, given, name)


def _numbers(op: Op, parameter: str, value: object) -> Array:
    try:
        array = np.asarray(value)
        if array.dtype.kind in "fiub":
            return constant(array)
        said = f"{array.dtype}, such as {quoted(value)}"
    # an array protocol may raise anything
    except Exception:
        said = quoted(value)
    raise GraphError(f"the {parameter} of {op.name} must be an array of numbers, but is {said}")


@overload
def Conv2d(
    weight: int,
    kernel: Size,
    bias: bool = True,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    name: str | None = None,
) -> LazyLayer: ...
@overload
def Conv2d(
    weight: object,
    bias: object = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    name: str | None = None,
) -> Layer: ...
def Conv2d(  # type: ignore[misc]
    weight: object,
    kernel: object = None,
    bias: object = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    name: str | None = None,
) -> Layer | LazyLayer:
    """Convolution; see `cnnfast.ops.Conv2d`.

    ``Conv2d(weight, bias)`` has the weights (OC, C / groups, KH, KW) and, optionally, (OC,). ``Conv2d(OC, kernel)``
    gets them from `cnnfast.Network.build`; its padding may be ``"same"``, and ``bias=False`` leaves the bias out.
    """
    if is_number(weight):
        with_bias = bias is None or bool(bias)
        return lazy_conv2d(weight, kernel, stride, padding, dilation, groups, with_bias, name)  # type: ignore[arg-type]
    if isinstance(padding, str):
        raise GraphError(f"padding={padding!r} is for Conv2d(filters, kernel); with arrays, padding is numbers")
    op = ops.Conv2d(stride, padding, dilation, groups)  # type: ignore[arg-type]
    return _layer(op, name, weight=weight, bias=kernel if bias is None else bias)


@overload
def Linear(  # type: ignore[overload-overlap]
    weight: int, bias: bool = True, *, name: str | None = None
) -> LazyLayer: ...
@overload
def Linear(weight: object, bias: object = None, *, name: str | None = None) -> Layer: ...
def Linear(weight: object, bias: object = None, *, name: str | None = None) -> Layer | LazyLayer:
    """Dense layer; see `cnnfast.ops.Linear`.

    ``Linear(weight, bias)`` has the weights (O, F) and, optionally, (O,). ``Linear(O)`` gets them from
    `cnnfast.Network.build`; ``bias=False`` leaves the bias out.
    """
    if is_number(weight):
        return lazy_linear(weight, bias is None or bool(bias), name)  # type: ignore[arg-type]
    return _layer(ops.Linear(), name, weight=weight, bias=bias)


@overload
def BatchNorm(*, eps: float = 1e-5, name: str | None = None) -> LazyLayer: ...
@overload
def BatchNorm(
    scale: object, shift: object, mean: object, var: object, *, eps: float = 1e-5, name: str | None = None
) -> Layer: ...
def BatchNorm(
    scale: object = None,
    shift: object = None,
    mean: object = None,
    var: object = None,
    *,
    eps: float = 1e-5,
    name: str | None = None,
) -> Layer | LazyLayer:
    """Batch normalization; each parameter (C,), or none for `cnnfast.Network.build`. See `cnnfast.ops.BatchNorm`."""
    op, given = ops.BatchNorm(eps), {"scale": scale, "shift": shift, "mean": mean, "var": var}
    if all(value is None for value in given.values()):
        return lazy_channels("BatchNorm()", op, tuple(given), name)
    if missing := [key for key, value in given.items() if value is None]:
        raise GraphError(f"BatchNorm needs scale, shift, mean and var, or none of them, but has no {missing[0]}")
    return _layer(op, name, **given)


def LayerNorm(
    scale: object = None,
    shift: object = None,
    *,
    axes: tuple[int, ...] = (1,),
    eps: float = 1e-5,
    name: str | None = None,
) -> Layer:
    """Layer normalization; each parameter of the shape of the axes. See `cnnfast.ops.LayerNorm`."""
    return _layer(ops.LayerNorm(axes, eps), name, scale=scale, shift=shift)


def GroupNorm(
    groups: int, scale: object = None, shift: object = None, *, eps: float = 1e-5, name: str | None = None
) -> Layer:
    """Group normalization; each parameter (C,). See `cnnfast.ops.GroupNorm`."""
    return _layer(ops.GroupNorm(groups, eps), name, scale=scale, shift=shift)


@overload
def PRelu(*, name: str | None = None) -> LazyLayer: ...
@overload
def PRelu(slope: object, *, name: str | None = None) -> Layer: ...
def PRelu(slope: object = None, *, name: str | None = None) -> Layer | LazyLayer:
    """ReLU with a trained slope, (C,) or (1,), or none for `cnnfast.Network.build`. See `cnnfast.ops.PRelu`."""
    if slope is None:
        return lazy_channels("PRelu()", ops.PRelu(), ("slope",), name)
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
Sign = _plain(ops.Sign)
Round = _plain(ops.Round)
ReduceMean = _plain(ops.ReduceMean)
ReduceSum = _plain(ops.ReduceSum)
ReduceMax = _plain(ops.ReduceMax)
ReduceMin = _plain(ops.ReduceMin)
Slice = _plain(ops.Slice)
Resize = _plain(ops.Resize)


def Relu6(name: str | None = None) -> Layer:
    """``min(max(x, 0), 6)``."""
    return Layer(ops.Clip(0.0, 6.0), {}, name)


class _LayerGraph:
    """Adds layers to a graph, naming each after its op and its number.

    Attributes
    ----------
    graph : GraphBuilder
    fresh : set of str
        Names of the layers that had no weights, and have zeros.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.graph = GraphBuilder()
        self.fresh: set[str] = set()
        self._counts: dict[str, int] = {}
        self.graph.input("input", shape_of("input_shape", input_shape, GraphError))

    def chain(self, layers: Sequence[AnyLayer], value: str) -> str:
        """Add layers one after the other and return the last value."""
        for layer in listed("layers", layers, GraphError):
            value = self._add(layer, value)
        return value

    def _add(self, layer: AnyLayer, value: str) -> str:
        if isinstance(layer, Residual):
            return self._join(ops.Add(), layer.name, [self.chain(layer.body, value), self.chain(layer.shortcut, value)])
        if isinstance(layer, Gate):
            return self._join(ops.Mul(), layer.name, [value, self.chain(layer.body, value)])
        if isinstance(layer, Branches):
            chains = listed("branches", layer.branches, GraphError)
            return self._join(ops.Concat(), layer.name, [self.chain(chain, value) for chain in chains])
        if isinstance(layer, LazyLayer):
            op, parameters = layer.make(self.graph.shapes[value])
            name = self._append(op, layer.name, parameters, value)
            self.fresh.add(name)
            return name
        if isinstance(layer, Layer):
            return self._append(layer.op, layer.name, layer.parameters, value)
        raise GraphError(
            "a network is a list of layers such as Conv2d(...), Relu(), Residual([...]), but one of them is "
            f"{quoted(layer)}"
        )

    def _append(self, op: Op, name: str | None, parameters: Mapping[str, Array], value: str) -> str:
        name = self._name(op, name)
        # zeros that stand for weights take no memory, so they are kept as they are
        own = [self.graph.constant(f"{name}.{key}", array, as_is=True) for key, array in parameters.items()]
        return self._node(name, op, value, *own)

    def _join(self, op: Op, name: str | None, values: list[str]) -> str:
        return self._node(self._name(op, name), op, *values)

    def _node(self, name: str, op: Op, *inputs: str) -> str:
        with _of_node(name):
            return self.graph.add(name, op, *inputs)

    def _name(self, op: Op, given: object) -> str:
        if given is not None and not isinstance(given, str):
            raise GraphError(f"the name of a layer must be a str, but is {quoted(given)}")
        if given:
            return given
        self._counts[op.name] = self._counts.get(op.name, 0) + 1
        return f"{op.name}_{self._counts[op.name]}"


@contextmanager
def _of_node(name: str) -> Iterator[None]:
    """Name the layer in the errors about it."""
    try:
        yield
    except GraphError as error:
        raise GraphError(f"node {name!r}: {error}") from None


def build_graph(layers: Sequence[AnyLayer], input_shape: Shape) -> Graph:
    """Return the graph of a list of layers with weights.

    Raises
    ------
    GraphError
        If something in the list is no layer or has no weights, or shapes do not fit.
    """
    graph, fresh = graph_without_weights(layers, input_shape)
    if fresh:
        raise GraphError(
            f"{min(fresh)!r} has sizes, but no weights; Network.build(layers, ...) makes them at random, and layers "
            "such as Conv2d(weight, bias) are given theirs"
        )
    return graph


def graph_without_weights(layers: Sequence[AnyLayer], input_shape: Shape) -> tuple[Graph, frozenset[str]]:
    """Return the graph of a list of layers, and the names of those that have zeros for weights.

    Raises
    ------
    GraphError
        If something in the list is no layer, or shapes do not fit.

    Examples
    --------
    >>> graph, fresh = graph_without_weights([Flatten(), Linear(10), Relu()], (1, 28, 28))
    >>> graph.shapes["linear_1.weight"], sorted(fresh)
    ((10, 784), ['linear_1'])
    """
    network = _LayerGraph(input_shape)
    output = network.chain(layers, "input")
    return network.graph.finish(output), frozenset(network.fresh)
