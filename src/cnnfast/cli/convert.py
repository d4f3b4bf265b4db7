"""``cnnfast convert IN OUT``: any known model file becomes cnnfast's own, or ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.cli import readers
from cnnfast.cli.models import check_may_write
from cnnfast.formats.narrow import DTYPES, NOTE
from cnnfast.network.network import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="IN", help="a model file or folder of any known format")
    parser.add_argument(
        "target", metavar="OUT", type=Path, help="the file to write: NAME.safetensors, or NAME.onnx for other programs"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="round the weights to 16 or 8 bits: half or a quarter of the bytes on disk, float32 in memory",
    )
    parser.add_argument(
        "--borrow",
        type=Path,
        metavar="FILE",
        help="leave out weights that FILE, a model file in the same folder, has too; OUT reads them from there",
    )
    readers.add_reader(parser)


def run(args: argparse.Namespace) -> int:
    """Read a model and write it."""
    target: Path = args.target
    check_may_write(target, args.force, args.dtype, args.borrow)
    net = readers.load(args.source, args)
    net.save(target, dtype=args.dtype, borrow=args.borrow)
    print(f"{target}: {net.input_shape} -> {net.output_shape}, {target.stat().st_size:,} bytes")
    if args.dtype is not None:
        print(f"rounded: {Network.load(target).notes.get(NOTE, f'nothing, all of it is {args.dtype} or not a weight')}")
    return 0
