"""Layers to write a network with: with their weights, or with their sizes alone.

A list of layers is a chain; `Residual`, `Gate` and `Branches` hold their own lists. Layers made with sizes get
random weights from `cnnfast.Network.build`:

>>> from cnnfast import Network
>>> net = Network.build(
...     [Conv2d(8, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Linear(2), Softmax()],
...     input_shape=(3, 32, 32), classes=["cat", "not cat"])
>>> net.graph.constants["conv2d_1.weight"].shape
(8, 3, 3, 3)

Layers made with arrays have their weights already:

>>> import numpy as np
>>> net = Network.from_layers(
...     [Conv2d(np.zeros((8, 3, 3, 3)), np.zeros(8), padding=1), Relu(), MaxPool(2), Flatten(),
...      Linear(np.zeros((2, 2048)), np.zeros(2)), Softmax()],
...     input_shape=(3, 32, 32), classes=["cat", "not cat"])
>>> net.predict_proba(np.zeros((5, 3, 32, 32), np.float32), layout="nchw").shape
(5, 2)
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import constant
from cnnfast.layers.build import build_graph as build_graph
from cnnfast.layers.build import graph_without_weights as graph_without_weights
from cnnfast.layers.lazy import LazyLayer, Padding, Size, is_number, lazy_channels, lazy_conv2d, lazy_linear
from cnnfast.layers.structure import AnyLayer as AnyLayer
from cnnfast.layers.structure import Branches as Branches
from cnnfast.layers.structure import Gate as Gate
from cnnfast.layers.structure import Layer as Layer
from cnnfast.layers.structure import Residual as Residual
from cnnfast.ops import Array, Op
from cnnfast.runtime.arguments import quoted


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
