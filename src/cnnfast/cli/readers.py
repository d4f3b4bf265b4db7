"""What a model file does not state and the user must: the options that `convert` and `compare` have in common."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from cnnfast.cli import options as common
from cnnfast.cli.models import described, labels
from cnnfast.errors import ConfigError
from cnnfast.formats import detect
from cnnfast.images.preprocess import CHANNELS, INTERPOLATIONS, RESIZES, Preprocess
from cnnfast.network.network import Network
from cnnfast.ops import Shape
from cnnfast.runtime.shipped import find

PREPROCESSING = ("channels", "resize", "crop_pct", "interpolation", "scale", "mean", "std", "decode")
READING = (
    "architecture",
    "input_shape",
    "input_layout",
    "output",
    "layout",
    "flatten",
    "rename",
    "key",
    "ignore_unexpected",
    "preprocess",
    "integers",
)


def add_reader(parser: argparse.ArgumentParser) -> None:
    """Add the options of readers, of labels, and of the preprocessing."""
    file = parser.add_argument_group("what the file does not say")
    file.add_argument("--architecture", metavar="NAME", help="the network that a file of weights belongs to")
    file.add_argument("--input-shape", type=numbers(int), metavar="C,H,W", help="of one image")
    file.add_argument("--input-layout", metavar="nchw|nhwc", help="how the file has its images, where it is ambiguous")
    file.add_argument("--output", metavar="NAME", help="the value at which the network ends, where a file has several")
    file.add_argument("--layout", metavar="oihw|ohwi|hwio", help="of the filters in a file of weights")
    file.add_argument("--flatten", metavar="chw|hwc", help="order of the features behind a flatten, likewise")
    file.add_argument(
        "--rename", action="append", metavar="THEIRS=OURS", help="a layer of a file of weights; or order, as they come"
    )
    file.add_argument("--key", metavar="KEY.…", help="where a checkpoint holds the weights, or how their names begin")
    file.add_argument(
        "--ignore-unexpected", action="store_true", default=None, help="leave out tensors that no layer expects"
    )
    common.add_labels(file)
    common.add_preprocess(file)
    common.add_integers(file)
    file.add_argument("--channels", choices=CHANNELS, help="of pictures")
    file.add_argument("--resize", choices=RESIZES, help="how pictures are fitted")
    file.add_argument("--crop-pct", type=float, metavar="X", help="the part of the center that --resize crop keeps")
    file.add_argument("--interpolation", choices=INTERPOLATIONS, help="filter of the resizing")
    file.add_argument("--scale", type=float, metavar="X", help="value = (byte * scale - mean) / std; default 1/255")
    file.add_argument("--mean", type=numbers(float), metavar="X,…", help="one for all channels, or one each")
    file.add_argument("--std", type=numbers(float), metavar="X,…", help="likewise")


def numbers(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Return the type of an argument that is a list of numbers."""

    def parse(text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(word) for word in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be numbers with commas between, but is {text!r}") from None

    return parse


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options for the reader of a file."""
    options = {name: getattr(args, name) for name in READING if getattr(args, name) is not None}
    if "rename" in options:
        options["rename"] = _rename(options["rename"])
    return options


def load(source: str, args: argparse.Namespace, *, lenient: bool = False) -> Network:
    """Load a network with the user's options; ``lenient`` drops what the reader of its format does not take.

    Raises
    ------
    CnnfastError
        If it cannot be read, or the options do not fit it.
    """
    options = reading(args)
    if lenient:
        taken = detect(find(source)).options
        options = {name: value for name, value in options.items() if name in taken}
    net = Network.load(source, **options)
    classes = None if args.labels is None else labels(args.labels)
    stated = {name: getattr(args, name) for name in PREPROCESSING if getattr(args, name) is not None}
    if classes is None and not stated:
        return net
    names = net.class_names if classes is None else classes
    rule = _preprocess(net.preprocess, net.input_shape, stated) if stated else net.preprocess
    return described(net, names, rule)


def _rename(words: list[str]) -> dict[str, str] | str:
    if words == ["order"]:
        return "order"
    pairs = dict(word.partition("=")[::2] for word in words)
    if not all(pairs) or not all(pairs.values()):
        raise ConfigError(f"--rename must be order, or THEIRS=OURS once for each layer, but is {' '.join(words)}")
    return pairs


def _preprocess(known: Preprocess | None, shape: Shape, stated: dict[str, Any]) -> Preprocess:
    if known is not None:
        return dataclasses.replace(known, **stated)
    if len(shape) != 3:
        raise ConfigError(f"the network takes {shape}, not images (C, H, W), so there is nothing to preprocess")
    channels = {"channels": "gray"} if shape[0] == 1 else {}
    return Preprocess(size=(shape[1], shape[2]), **(channels | stated))
