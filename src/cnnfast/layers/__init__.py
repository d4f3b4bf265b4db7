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

from typing import TYPE_CHECKING, overload

import numpy as np

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import constant
from cnnfast.layers.build import build_graph as build_graph
from cnnfast.layers.build import graph_without_weights as graph_without_weights
from cnnfast.layers.foreign import about_unknown_layer
from cnnfast.layers.functions import Abs as Abs
from cnnfast.layers.functions import Clip as Clip
from cnnfast.layers.functions import Elu as Elu
from cnnfast.layers.functions import Erf as Erf
from cnnfast.layers.functions import Exp as Exp
from cnnfast.layers.functions import Gelu as Gelu
from cnnfast.layers.functions import HardSigmoid as HardSigmoid
from cnnfast.layers.functions import HardSwish as HardSwish
from cnnfast.layers.functions import LeakyRelu as LeakyRelu
from cnnfast.layers.functions import Log as Log
from cnnfast.layers.functions import LogSoftmax as LogSoftmax
from cnnfast.layers.functions import Mish as Mish
from cnnfast.layers.functions import Relu as Relu
from cnnfast.layers.functions import Round as Round
from cnnfast.layers.functions import Sigmoid as Sigmoid
from cnnfast.layers.functions import Sign as Sign
from cnnfast.layers.functions import Silu as Silu
from cnnfast.layers.functions import Softmax as Softmax
from cnnfast.layers.functions import Softplus as Softplus
from cnnfast.layers.functions import Softsign as Softsign
from cnnfast.layers.functions import Sqrt as Sqrt
from cnnfast.layers.functions import Tanh as Tanh
from cnnfast.layers.functions import ThresholdedRelu as ThresholdedRelu
from cnnfast.layers.lazy import LazyLayer, Padding, Size, is_number, lazy_channels, lazy_conv2d, lazy_linear
from cnnfast.layers.plain import AvgPool as AvgPool
from cnnfast.layers.plain import Dropout as Dropout
from cnnfast.layers.plain import Flatten as Flatten
from cnnfast.layers.plain import GlobalAvgPool as GlobalAvgPool
from cnnfast.layers.plain import GlobalMaxPool as GlobalMaxPool
from cnnfast.layers.plain import Identity as Identity
from cnnfast.layers.plain import Lrn as Lrn
from cnnfast.layers.plain import MaxPool as MaxPool
from cnnfast.layers.plain import Pad as Pad
from cnnfast.layers.plain import ReduceMax as ReduceMax
from cnnfast.layers.plain import ReduceMean as ReduceMean
from cnnfast.layers.plain import ReduceMin as ReduceMin
from cnnfast.layers.plain import ReduceSum as ReduceSum
from cnnfast.layers.plain import Reshape as Reshape
from cnnfast.layers.plain import Resize as Resize
from cnnfast.layers.plain import Slice as Slice
from cnnfast.layers.plain import Transpose as Transpose
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


def Relu6(name: str | None = None) -> Layer:
    """``min(max(x, 0), 6)``."""
    return Layer(ops.Clip(0.0, 6.0), {}, name)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        known = [key for key in globals() if key[0].isupper()]
        raise AttributeError(about_unknown_layer(name, known))
