"""Networks of ConvNetJS, as its ``net.toJSON()`` writes them.

A volume of ConvNetJS is in memory as (H, W, C): index ``((sx * y) + x) * depth + d``. Filters become (OC, C, KH, KW),
and the columns of a dense layer are put into the order C, H, W. Weights stay float64.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats import cifar10
from cnnfast.formats.chain import LayerChain, columns_to_chw
from cnnfast.formats.error_context import error_context, name_of
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.formats.strict_json import parse
from cnnfast.images.preprocess import rule_of
from cnnfast.ops import Array, Conv2d, Linear, MaxPool, Mul, Op, Relu, Shape, Sigmoid, Softmax, Tanh, Transpose

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

MAX_BYTES = 64 << 20
"""Two million weights; the JSON takes about six times its size in memory."""
MAX_CONTAINERS = 1_000_000

Layer = dict[str, Any]


def read(
    path: str | os.PathLike[str], classes: Sequence[str] | None = None, preprocess: Preprocess | str | None = None
) -> Model:
    """Read a network of ConvNetJS.

    Parameters
    ----------
    path : path-like
        The JSON of ``net.toJSON()``.
    classes, preprocess : optional
        The file holds neither. A network from 32×32×3 to 10 gets those of ConvNetJS's CIFAR-10 demo by default:
        its ten classes and ``byte / 255 - 0.5``.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    UnsupportedError
        If the network has layers that cnnfast does not run; all of them are listed.

    Notes
    -----
    Dropout multiplies by ``1 - drop_prob`` when ConvNetJS predicts, so it is a factor here, not a layer that vanishes.
    """
    with error_context(path):
        chain = _chain(_layers(Path(path)))
        if chain.graph().inputs["layer0"] == (3, 32, 32) and chain.shape == (10,):
            classes = cifar10.CLASSES if classes is None else classes
            preprocess = preprocess or cifar10.byte_minus_half()
        labels = None if classes is None else tuple(classes)
        graph = chain.graph()
        (shape,) = graph.inputs.values()
        return Model(graph, rule_of(preprocess, shape), labels, notes={"source": f"ConvNetJS, {name_of(path)}"})


def _layers(path: Path) -> list[Layer]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ModelFileError(f"the file has {size} bytes; for a network of ConvNetJS at most {MAX_BYTES} are allowed")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"no UTF-8 text: {error.reason} at byte {error.start}") from None
    network = parse(text, "network", MAX_CONTAINERS)
    layers = network.get("layers") if isinstance(network, dict) else None
    if not isinstance(layers, list) or len(layers) < 2:
        raise ModelFileError("a network of ConvNetJS must be an object with the key layers, a list of at least two")
    for index, layer in enumerate(layers):
        if not isinstance(layer, dict) or not isinstance(layer.get("layer_type"), str):
            raise ModelFileError(f"layer {index} must be an object with the key layer_type")
    return layers


def _chain(layers: list[Layer]) -> LayerChain:
    _check_supported(layers)
    first, *others = layers
    if first["layer_type"] != "input":
        raise ModelFileError(f"layer 0 must be of type input, but is {first['layer_type']!r}")
    chain = LayerChain(_declared(first), "layer0")
    for index, layer in enumerate(others, start=1):
        if layer["layer_type"] == "input":
            raise ModelFileError(f"layer {index} is of type input; only layer 0 may be")
        try:
            BUILDERS[layer["layer_type"]](chain, f"layer{index}", layer)
            _check_shape(chain.shape, layer)
        except (GraphError, ModelFileError) as error:
            raise ModelFileError(f"layer {index} ({layer['layer_type']}): {error}") from error
    return chain


def _check_supported(layers: list[Layer]) -> None:
    known = {"input", *BUILDERS}
    types = [layer["layer_type"] for layer in layers]
    strange = [f"layer {index} ({kind:.40})" for index, kind in enumerate(types) if kind not in known]
    if strange:
        raise UnsupportedError(
            f"cnnfast does not run {', '.join(strange[:100])}; of ConvNetJS it runs {', '.join(sorted(known))}"
        )


def _declared(layer: Layer) -> Shape:
    return _integer(layer, "out_depth", least=1), _integer(layer, "out_sy", least=1), _integer(layer, "out_sx", least=1)


def _check_shape(shape: Shape, layer: Layer) -> None:
    volume = shape if len(shape) == 3 else (*shape, 1, 1)
    if _declared(layer) != volume:
        raise ModelFileError(f"it states the output (C, H, W) = {_declared(layer)}, but what it does gives {volume}")


def _integer(layer: Layer, key: str, least: int, default: int | None = None) -> int:
    value = layer.get(key, default)
    if type(value) is not int or value < least:
        raise ModelFileError(f"{key} must be an integer of at least {least}, but is {value!r:.40}")
    return value


def _volume(value: object, what: str, shape: tuple[int, int, int]) -> Array:
    """Return the numbers of a volume as an array (H, W, C); ``w`` may be a list or an object with keys "0", "1", …"""
    if not isinstance(value, dict):
        raise ModelFileError(f"{what} must be an object with the keys sx, sy, depth, w")
    declared = tuple(_integer(value, key, least=1) for key in ("sy", "sx", "depth"))
    if declared != shape:
        raise ModelFileError(f"{what} is of size (H, W, C) = {declared}, but must be {shape}")
    weights, count = value.get("w"), math.prod(shape)
    if not isinstance(weights, dict | list) or len(weights) != count:
        raise ModelFileError(f"w of {what} must hold {count} numbers")
    if isinstance(weights, dict):
        weights = [weights.get(str(index)) for index in range(count)]
    if not all(type(w) in (int, float) for w in weights):
        raise ModelFileError(
            f"w of {what} must hold the numbers 0 to {count - 1}; one is missing, or null, which stands for NaN"
        )
    return np.array(weights, np.float64).reshape(shape)


def _filters(layer: Layer, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    filters, count = layer.get("filters"), _integer(layer, "out_depth", least=1)
    if not isinstance(filters, list) or len(filters) != count:
        raise ModelFileError(f"filters must be a list of out_depth = {count} volumes")
    weight = np.stack([_volume(value, f"filter {index}", shape) for index, value in enumerate(filters)])
    return weight, _volume(layer.get("biases"), "biases", (1, 1, count)).ravel()


def _conv(chain: LayerChain, name: str, layer: Layer) -> None:
    size = _integer(layer, "sy", least=1), _integer(layer, "sx", least=1), chain.shape[0]
    op = Conv2d(_integer(layer, "stride", least=1, default=1), _integer(layer, "pad", least=0, default=0))  # type: ignore[arg-type]
    weight, bias = _filters(layer, size)
    chain.add(name, op, weight=np.ascontiguousarray(weight.transpose(0, 3, 1, 2)), bias=bias)


def _pool(chain: LayerChain, name: str, layer: Layer) -> None:
    # As in ConvNetJS, the last window is the last that fits, and what is outside the image never wins.
    kernel = _integer(layer, "sy", least=1), _integer(layer, "sx", least=1)
    stride, pad = _integer(layer, "stride", least=1, default=2), _integer(layer, "pad", least=0, default=0)
    chain.add(name, MaxPool(kernel, (stride, stride), (pad, pad, pad, pad)))


def _dense(chain: LayerChain, name: str, layer: Layer) -> None:
    weight, bias = _filters(layer, (1, 1, math.prod(chain.shape)))
    weight = columns_to_chw(weight.reshape(len(weight), -1), chain.shape)
    chain.flatten(f"{name}.flatten")
    chain.add(name, Linear(), weight=weight, bias=bias)


def _softmax(chain: LayerChain, name: str, layer: Layer) -> None:
    if len(chain.shape) == 3 and chain.shape[1:] != (1, 1):
        chain.add(f"{name}.hwc", Transpose((0, 2, 3, 1)))
    chain.flatten(f"{name}.flatten")
    chain.add(name, Softmax())


def _dropout(chain: LayerChain, name: str, layer: Layer) -> None:
    rate = layer.get("drop_prob", 0.5)
    if type(rate) not in (int, float) or not 0 <= rate < 1:
        raise ModelFileError(f"drop_prob must be at least 0 and below 1, but is {rate!r:.40}")
    chain.add(name, Mul(), factor=np.array([1.0 - rate]))


def _plain(op: Op) -> Callable[[LayerChain, str, Layer], None]:
    return lambda chain, name, layer: chain.add(name, op)


BUILDERS: dict[str, Callable[[LayerChain, str, Layer], None]] = {
    "conv": _conv,
    "pool": _pool,
    "fc": _dense,
    "relu": _plain(Relu()),
    "sigmoid": _plain(Sigmoid()),
    "tanh": _plain(Tanh()),
    "dropout": _dropout,
    "softmax": _softmax,
}


def _sniff(path: Path, head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") and b'"layer_type"' in head


FORMAT = register(
    ModelFormat(
        "convnetjs", "a network of ConvNetJS, net.toJSON()", (".json",), _sniff, read, ("classes", "preprocess")
    )
)
