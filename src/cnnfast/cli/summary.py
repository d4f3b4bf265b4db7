"""``cnnfast summary MODEL``: the layers of a network."""

from __future__ import annotations

import argparse

from cnnfast.cli import options
from cnnfast.cli.models import load
from cnnfast.errors import UnsupportedError
from cnnfast.network.network import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_integers(parser)
    parser.add_argument("--explain", action="store_true", help="also show the kernel of each step, and why that one")


def _classes(net: Network) -> str:
    try:
        places = f" (one at each of {'x'.join(map(str, net.answer_shape))} positions)" if net.answer_shape else ""
        return ", ".join(map(str, net.classes_)) + places
    except UnsupportedError as error:
        return f"none: {error}"


def _short(value: object) -> str:
    """Return a value of the preprocessing as a person reads it; the file has all digits."""
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_short, value))})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def run(args: argparse.Namespace) -> int:
    """Print the layers, the classes, and what travels with the network."""
    net = load(args.model, args)
    print(net.summary())
    print()
    print(f"classes: {_classes(net)}")
    if net.preprocess is not None:
        rule = ", ".join(f"{key} {_short(value)}" for key, value in net.preprocess.to_dict().items())
        print(f"preprocessing: {rule}")
    if net.remembered is not None:
        print(f"remembered: {net.remembered}")
    for key, value in {"license": net.license, **net.notes}.items():
        if value is not None:
            print(f"{key}: {value}")
    if args.explain:
        print()
        print(net.explain())
    return 0
