"""``cnnfast compare A B``: do two networks give the same answers, and if not, where do they begin to differ?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from itertools import islice

import numpy as np

from cnnfast.cli import OK, SOME_FAILED, options, readers
from cnnfast.cli.inputs import open_inputs
from cnnfast.compare import BOUND, ENGINES, Backend, Comparison, Difference, NetworkBackend, compare
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.formats import detect
from cnnfast.images.pictures.skipped import Skipped
from cnnfast.images.preprocess import UNSAID, Preprocess
from cnnfast.network.network import Network
from cnnfast.network.records import finite
from cnnfast.ops import Array, Shape
from cnnfast.runtime.shipped import find

RANDOM = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("left", metavar="A", help=options.MODEL)
    parser.add_argument("right", metavar="B", nargs="?", help="another one; with --engine by default the same file")
    parser.add_argument("--engine", choices=ENGINES, help="run B with the engine it was made for")
    parser.add_argument(
        "--data",
        action="append",
        metavar="PATH",
        help="pictures or a data set; may be repeated; else random images",
    )
    parser.add_argument(
        "--images", type=options.positive, metavar="N", help=f"how many; default {RANDOM}, or all of --data"
    )
    parser.add_argument(
        "--bound",
        type=options.above_zero,
        metavar="X",
        help=f"largest difference that passes, as a part of the largest element (default: {BOUND:g}; "
        "0.2 against an engine that rounds to 8 bits)",
    )
    readers.add_reader(parser)
    options.add_split(parser)
    options.add_max_pixels(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run both and print where they begin to differ."""
    if args.right is None and args.engine is None:
        raise ConfigError("name a second network B, or an --engine that runs A's own file")
    right = args.right or args.left
    _check_options(args, args.left, *([] if args.engine else [right]))
    left = readers.load(args.left, args, lenient=True)
    if args.engine:
        other, preprocess, shape = _engine(args, right), _rule_of_engine(args, right, left), left.input_shape
    else:
        net = readers.load(right, args, lenient=True)
        other, preprocess, shape = NetworkBackend(net, right), net.preprocess, net.input_shape
    pictures = _images(args, left.input_shape, left.preprocess or preprocess)
    inputs = (
        _values(pictures, left.preprocess or preprocess, left.input_shape),
        _values(pictures, preprocess or left.preprocess, shape),
    )
    bound = other.bound if args.bound is None else args.bound
    found = compare(NetworkBackend(left, args.left), other, inputs, bound)
    print(json.dumps(finite(as_dict(found, other)), indent=2) if args.json else as_text(found, args.left, other))
    return OK if found.is_alike else SOME_FAILED


def _engine(args: argparse.Namespace, source: str) -> Backend:
    """Return an engine that ends where the network does."""
    engine = ENGINES[args.engine](find(source))
    if args.output is not None:
        if args.output not in engine.layers:
            raise ConfigError(f"{engine.title}: has no value called {args.output!r}")
        engine.output = args.output
    return engine


def _rule_of_engine(args: argparse.Namespace, source: str, left: Network) -> Preprocess | None:
    """Return what makes the input of an engine of bytes.

    A reader may have moved arithmetic from the start of the network into the preprocessing; the engine does it itself.
    """
    taken = detect(find(source)).options
    if left.preprocess is None or args.preprocess is not None or "preprocess" not in taken:
        return left.preprocess
    try:
        options = {name: value for name, value in readers.reading(args).items() if name in taken}
        whole, rest = (Network.load(source, **options | more) for more in ({"preprocess": "raw"}, {}))
    except CnnfastError:
        return left.preprocess
    if len(whole.graph.nodes) == len(rest.graph.nodes):
        return left.preprocess
    return dataclasses.replace(left.preprocess, scale=1.0, mean=(0.0,), std=(1.0,))


def _check_options(args: argparse.Namespace, *sources: str) -> None:
    """Refuse options that apply to neither of the two files."""
    taken = {name for source in sources for name in detect(find(source)).options}
    if strange := [name for name in readers.reading(args) if name not in taken]:
        raise ConfigError(f"--{strange[0].replace('_', '-')} has no meaning for {' or '.join(sources)}")


def _images(args: argparse.Namespace, shape: Shape, preprocess: Preprocess | None) -> Array:
    """Return pixels (N, H, W, C), or floats (N, C, H, W) where no network has a preprocessing."""
    if args.data is None:
        rng = np.random.default_rng(0)
        count = args.images or RANDOM
        if preprocess is None:
            return rng.standard_normal((count, *shape)).astype(np.float32)
        c, h, w = preprocess.shape
        return rng.integers(0, 256, (count, h, w, c), np.uint8)
    if preprocess is None:
        raise ConfigError(f"{args.left}: {UNSAID}, or --scale, --mean and --std")
    items = (item for source in open_inputs(args.data, args.split, Skipped()) for item in source.items(0, preprocess))
    pixels = []
    for item in islice(items, args.images):
        outcome = item.load(preprocess)
        if isinstance(outcome, CnnfastError):
            print(f"cnnfast: {outcome}", file=sys.stderr)
        else:
            pixels.append(outcome)
    if not pixels:
        raise ConfigError(f"{', '.join(args.data)}: holds no picture that can be read")
    return np.stack(pixels)


def _values(images: Array, preprocess: Preprocess | None, shape: Shape) -> Array:
    if images.dtype == np.uint8 and preprocess is not None:
        values = preprocess(images)
        # gray pictures may go into a network that takes rows
        return values.reshape(len(images), *shape) if preprocess.fits(shape) else values
    return images.astype(np.float32)


def as_text(found: Comparison, left: str, right: Backend) -> str:
    """Return what has been found as text."""
    lines = [
        f"{left} and {right.title}, {found.images} images",
        f"layers compared: {len(found.layers)}",
        f"output: largest difference {found.output.size:.2g} of the largest element (bound {found.bound:g})",
        f"top-1: {found.same_top1} of {found.images} agree",
    ]
    if right.note:
        lines.append(right.note)
    if found.left_out:
        lines.insert(2, f"layers left out, integers of unknown meaning on one side: {_few(found.left_out)}")
    if found.first is None:
        return "\n".join([*lines, "no layer differs by more than the bound"])
    lines.append(f"first layer that differs: {_told(found.first)}")
    if found.first.left != found.first.right and found.is_alike:
        lines.append(
            "layers are matched by kind and shape here, and one side may have folded batch-norm into a neighbor"
        )
    return "\n".join(lines)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _told(layer: Difference) -> str:
    name = layer.left if layer.left == layer.right else f"{layer.left} and {layer.right}"
    size = "x".join(map(str, layer.shape))
    ours, theirs = (f"{value:.7g}" for value in layer.values)
    return (
        f"{name} ({layer.kind}, {size}) by {layer.size:.2g} of the largest element; "
        f"most in image {layer.image} at {layer.place}: {ours} against {theirs}"
    )


def as_dict(found: Comparison, right: Backend) -> dict[str, object]:
    """Return what has been found as values that JSON can hold."""
    return {
        "alike": found.is_alike,
        "images": found.images,
        "same_top1": found.same_top1,
        "bound": found.bound,
        "note": right.note,
        "first": None if found.first is None else dataclasses.asdict(found.first),
        "left_out": list(found.left_out),
        "layers": [dataclasses.asdict(layer) for layer in found.layers],
    }
