"""The trained network of Berkeley's CS61C project 3 (Spring 2015): a folder of text files.

The layers are fixed by the project; the files hold weights only. A convolution's file has ``sx sy depth filters`` in
its first line, then one value a line: filter by filter in the order x, y, depth (x outermost), then the biases. The
dense layer's file has ``inputs outputs``, then the weights output by output, over the input volume as H, W, C, then the
biases. The values are those of the ConvNetJS network, cut to 20 decimals: all equal in float32, all but two in
float64.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from cnnfast.errors import GraphError, ModelFileError
from cnnfast.formats import cifar10
from cnnfast.formats.chain import LayerChain, columns_to_chw
from cnnfast.formats.error_context import error_context
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.ops import Array, Conv2d, Linear, MaxPool, Relu, Softmax

LAYERS = ("conv", "relu", "pool", "conv", "relu", "pool", "conv", "relu", "pool", "fc", "softmax")
MARKER = "layer1_conv.txt"
MAX_BYTES = 16 << 20
PADDING = 2
"""Of every convolution: a rule of the project that is in none of its files."""


def read(path: str | os.PathLike[str]) -> Model:
    """Read a snapshot folder of CS61C.

    Parameters
    ----------
    path : path-like
        The folder that holds ``layer1_conv.txt``, ``layer4_conv.txt``, ``layer7_conv.txt`` and ``layer10_fc.txt``.

    Returns
    -------
    Model
        Its values are named ``layer0`` (the input) to ``layer11`` as in the project's own output; weights are float64.

    Raises
    ------
    ModelFileError
        If a file is missing or damaged.
    """
    chain = LayerChain((3, 32, 32), "layer0")
    for index, kind in enumerate(LAYERS, start=1):
        name = f"layer{index}"
        if kind in ("conv", "fc"):
            _add_weighted(chain, name, Path(path) / f"{name}_{kind}.txt")
        else:
            chain.add(name, {"relu": Relu(), "pool": MaxPool((2, 2)), "softmax": Softmax()}[kind])
    with error_context(path):
        notes = {"source": "CS61C Spring 2015 project 3, UC Berkeley"}
        return Model(chain.graph(), cifar10.byte_minus_half(), cifar10.CLASSES, "MIT", notes)


def _add_weighted(chain: LayerChain, name: str, path: Path) -> None:
    with error_context(path):
        try:
            if path.stem.endswith("conv"):
                _add_conv(chain, name, path)
            else:
                _add_dense(chain, name, path)
        except GraphError as error:
            raise ModelFileError(f"does not fit into the network of the project: {error}") from error


def _add_conv(chain: LayerChain, name: str, path: Path) -> None:
    (sx, sy, depth, filters), values = _values(path, "sx sy depth filters")
    weight, bias = _split(values, (filters, sx, sy, depth))
    op = Conv2d(padding=(PADDING,) * 4)
    chain.add(name, op, weight=np.ascontiguousarray(weight.transpose(0, 3, 2, 1)), bias=bias)


def _add_dense(chain: LayerChain, name: str, path: Path) -> None:
    (inputs, outputs), values = _values(path, "inputs outputs")
    weight, bias = _split(values, (outputs, inputs))
    if inputs != math.prod(chain.shape):
        raise ModelFileError(f"it has {inputs} inputs, but the layer before gives {math.prod(chain.shape)}")
    weight = columns_to_chw(weight, chain.shape)
    chain.flatten(f"{name}.flatten")
    chain.add(name, Linear(), weight=weight, bias=bias)


def _values(path: Path, header: str) -> tuple[list[int], Array]:
    """Return the sizes of the first line and the numbers of the others."""
    if path.exists() and not path.is_file():
        # a device has no size and may have no end
        raise ModelFileError("it is not a file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ModelFileError(f"the file has {size} bytes; at most {MAX_BYTES} are allowed")
    # Latin-1 takes every byte; one that does not belong into a number is then refused as such.
    first, _, rest = path.read_text("latin-1").partition("\n")
    sizes = first.split()
    if len(sizes) != len(header.split()) or not all(map(_is_size, sizes)):
        raise ModelFileError(f"line 1 must be {header!r}, all positive integers, but is {first!r:.80}")
    return [int(s) for s in sizes], _numbers(rest.split())


def _is_size(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10 and int(word) > 0


def _numbers(words: list[str]) -> Array:
    try:
        values = np.array(words, np.float64)
    except ValueError as error:
        raise ModelFileError(f"all lines after the first must be numbers: {error}") from None
    if not np.isfinite(values).all():
        line = int(np.argmin(np.isfinite(values))) + 2
        raise ModelFileError(f"line {line} is {words[line - 2]!r:.40}, but weights must be finite")
    return values


def _split(values: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Part the weights of the given shape from the biases, one for each of the first axis."""
    count = math.prod(shape)
    if len(values) != count + shape[0]:
        raise ModelFileError(
            f"line 1 asks for {count} weights and {shape[0]} biases, but {len(values)} numbers follow it"
        )
    return values[:count].reshape(shape), values[count:]


def _sniff(path: Path, head: bytes) -> bool:
    return path.is_dir() and (path / MARKER).is_file()


FORMAT = register(ModelFormat("cs61c", f"a snapshot folder of CS61C with {MARKER}", ("a folder",), _sniff, read))
