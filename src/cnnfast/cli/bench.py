"""``cnnfast bench MODEL``: how fast a network runs here, rung by rung, and where its time goes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from cnnfast import __version__
from cnnfast.cli import options
from cnnfast.cli.models import load
from cnnfast.plan import make_plan
from cnnfast.report.ladder import FEW, LadderResult, Subject, climb
from cnnfast.report.profile import Line, profile
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.info import cpu_model
from cnnfast.runtime.tables import aligned
from cnnfast.runtime.threads import decide

RUNG = "{:<38}{:>8}{:>12}{:>12}{:>10}{:>10}{:>9}{:>13}"
NODE = ("layer", "result", "µs/image", "share", "GFLOP/s", "% peak", "kernels")
LEFT = (0, 1, 6)
"""Columns of text, aligned left; numbers are aligned right."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_integers(parser)
    parser.add_argument(
        "--batch", type=options.positive, default=256, metavar="N", help="images per run (default: %(default)s)"
    )
    options.add_threads(parser)
    parser.add_argument(
        "--seconds",
        type=options.seconds,
        default=1.0,
        metavar="S",
        help="how long to repeat each way, at least once (default: %(default)s)",
    )
    parser.add_argument("--layers", action="store_true", help="only show where the time goes, layer by layer")


def run(args: argparse.Namespace) -> int:
    """Print what runs, the ladder, and the profile."""
    net = load(args.model, args)
    subject = Subject.of(net, args.batch)
    threads, _ = decide(args.threads)
    peak = kernels.fma_peak() * 1e9
    _print_head(args.model, subject, threads, peak)
    if not args.layers:
        print()
        _print_ladder(subject, climb(subject, threads, args.seconds), peak)
    print()
    _print_profile(profile(make_plan(subject.graph), subject.images, subject.pixels, args.seconds), peak)
    return 0


def _print_head(model: str, subject: Subject, threads: int, peak: float) -> None:
    kind = "floats" if subject.pixels is None else "bytes"
    shape = "x".join(map(str, subject.images.shape[1:]))
    print(f"network     {model}: {kind} {shape} to probabilities, {subject.flops / 1e6:.1f} MFLOP an image")
    print(f"batch       {len(subject.images)}")
    print(f"cnnfast     {__version__}")
    print(f"CPU         {cpu_model()}")
    print(f"kernels     {kernels.active_isa()}, {kernels.lanes()} images in the lanes")
    print(f"threads     1 and {threads}" if threads > 1 else "threads     1")
    print(f"FMA peak    {peak / 1e9:.1f} GFLOP/s in float32 on one core, measured now", flush=True)


def _print_ladder(subject: Subject, results: Iterable[LadderResult], peak: float) -> None:
    print(RUNG.format("way", "threads", "images/s", "median", "× naive", "GFLOP/s", "% peak", "difference"))
    naive = float("nan")
    for result in results:
        rate = result.images / result.best
        if result.name.startswith("naive"):
            naive = rate
        flops = rate * subject.flops
        cells = [
            *(result.name, result.threads, f"{rate:,.0f}", f"{result.images / result.median:,.0f}"),
            *(_ratio(rate / naive), f"{flops / 1e9:.1f}", f"{100 * flops / (peak * result.threads):.1f}"),
            f"{result.difference:.1e}" if result.difference else "",
        ]
        print(RUNG.format(*cells).rstrip(), flush=True)
    print("images/s: of the fastest run. GFLOP/s: all convolutions counted as direct, so Winograd may exceed the peak.")
    few = min(FEW, len(subject.images))
    print(f"difference: the largest from NumPy in float64, over {few} images. NumPy uses its own threads.")


def _ratio(value: float) -> str:
    return "" if value != value else f"{value:.1f}"


def _print_profile(lines: list[Line], peak: float) -> None:
    total = sum(line.seconds for line in lines)
    whole = Line("total", (), (), total, sum(line.flops for line in lines))
    rows = [NODE, *(_cells(line, total, peak) for line in [*lines, whole])]
    print(*aligned(rows, LEFT), sep="\n")


def _cells(line: Line, total: float, peak: float) -> tuple[str, ...]:
    speed = line.flops / line.seconds
    speeds = (f"{speed / 1e9:.1f}", f"{100 * speed / peak:.0f}") if line.flops else ("", "")
    share = f"{100 * line.seconds / total:.1f} %"
    shape, time = "x".join(map(str, line.shape)), f"{line.seconds * 1e6:.2f}"
    return line.node, shape, time, share, *speeds, ", ".join(line.kernels)
