"""``cnnfast bench MODEL``: how fast a network runs here, rung by rung, and where its time goes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.cli import options
from cnnfast.cli.models import load, load_in_float
from cnnfast.formats import detect
from cnnfast.network.network import Network
from cnnfast.plan import Plan, make_plan
from cnnfast.report.ladder import FEW, LadderResult, Subject, climb, climb_integers
from cnnfast.report.profile import Line, profile
from cnnfast.runtime import shipped
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.info import cpu_model
from cnnfast.runtime.tables import aligned
from cnnfast.runtime.threads import decide

RUNG = "{:<38}{:>8}{:>12}{:>12}{:>10}{:>10}{:>9}{:>13}"
NODE = ("layer", "result", "µs/image", "share", "{unit}", "% peak", "kernels")
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


@frozen
class Peaks:
    """The most that one core can do a second, measured in this run; ``bytes`` are products of bytes and their sums."""

    floats: float
    bytes: float

    def of(self, in_integers: bool) -> float:
        """Return the one that a network or a layer is compared with."""
        return self.bytes if in_integers else self.floats


def run(args: argparse.Namespace) -> int:
    """Print what runs, the ladder, and the profile."""
    net = load(args.model, args)
    subject = Subject.of(net, args.batch)
    threads, _ = decide(args.threads)
    peaks = Peaks(kernels.fma_peak() * 1e9, kernels.dot_peak() * 1e9)
    plan = make_plan(subject.graph).for_batch(args.batch)
    _print_head(args.model, subject, plan, threads, peaks)
    if not args.layers:
        print()
        if subject.in_integers:
            twin = _in_float(args.model)
            floats = None if twin is None else Subject.of(twin, args.batch)
            _print_ladder(climb_integers(subject, floats, threads, args.seconds), peaks, subject)
        else:
            _print_ladder(climb(subject, threads, args.seconds), peaks, subject)
    print()
    _print_profile(profile(plan, subject.images, subject.pixels, args.seconds), peaks, subject)
    return 0


def _in_float(model: str) -> Network | None:
    """Return the network of floats that belongs to one of integers: the shipped one, or the file read in float."""
    name = model.removesuffix("-int8")
    if name != model and name in shipped.list_models():
        return Network.load(name)
    return load_in_float(model, None, None) if "integers" in detect(shipped.find(model)).options else None


def _unit(subject: Subject) -> str:
    return "GOP/s" if subject.in_integers else "GFLOP/s"


def _print_head(model: str, subject: Subject, plan: Plan, threads: int, peaks: Peaks) -> None:
    kind = "floats" if subject.pixels is None else "bytes"
    shape = "x".join(map(str, subject.images.shape[1:]))
    count = f"{subject.flops / 1e6:.1f} {'million operations' if subject.in_integers else 'MFLOP'} an image"
    print(f"network     {model}: {kind} {shape} to probabilities, {count}")
    if subject.in_integers:
        print("computes    with eight-bit integers")
    print(f"batch       {len(subject.images)}")
    print(f"cnnfast     {__version__}")
    print(f"CPU         {cpu_model()}")
    lanes = f"{plan.lanes} images" if plan.group > 1 else f"an image at a time, {plan.lanes} of its channels"
    print(f"kernels     {kernels.active_isa()}, {lanes} in the lanes")
    print(f"threads     1 and {threads}" if threads > 1 else "threads     1")
    print(f"FMA peak    {peaks.floats / 1e9:.1f} GFLOP/s in float32 on one core, measured now", flush=True)
    if subject.in_integers:
        print(f"  of bytes  {peaks.bytes / 1e9:.1f} GOP/s in products of bytes, the same way", flush=True)


def _print_ladder(results: Iterable[LadderResult], peaks: Peaks, subject: Subject) -> None:
    """Print each rung; the first one that others are related to is the naive one, or that of floats."""
    base = "in float" if subject.in_integers else "naive"
    times = "× float" if subject.in_integers else "× naive"
    print(RUNG.format("way", "threads", "images/s", "median", times, _unit(subject), "% peak", "difference"))
    rates: dict[int, float] = {}
    for result in results:
        if result.name.startswith(base):
            rates[result.threads] = result.rate
        # the naive kernels run on one thread
        related = rates.get(result.threads if subject.in_integers else 1, float("nan"))
        flops = result.rate * result.subject.flops
        share = 100 * flops / (peaks.of(result.subject.in_integers) * result.threads)
        cells = [
            *(result.name, result.threads, f"{result.rate:,.0f}", f"{result.images / result.median:,.0f}"),
            *(_ratio(result.rate / related), f"{flops / 1e9:.1f}", f"{share:.1f}"),
            f"{result.difference:.1e}" if result.difference else "",
        ]
        print(RUNG.format(*cells).rstrip(), flush=True)
    few = min(FEW, len(subject.images))
    if subject.in_integers:
        print("images/s: of the fastest run; floats and integers take turns. % peak: of bytes, or for floats of FMA.")
        print(f"difference: the largest from the reference of each, over {few} images. NumPy uses its own threads.")
        return
    print("images/s: of the fastest run. GFLOP/s: all convolutions counted as direct, so Winograd may exceed the peak.")
    print(f"difference: the largest from NumPy in float64, over {few} images. NumPy uses its own threads.")


def _ratio(value: float) -> str:
    return "" if value != value else f"{value:.1f}"


def _print_profile(lines: list[Line], peaks: Peaks, subject: Subject) -> None:
    total = sum(line.seconds for line in lines)
    whole = Line("total", (), (), total, sum(line.flops for line in lines), subject.in_integers)
    names = tuple(name.format(unit=_unit(subject)) for name in NODE)
    rows = [names, *(_cells(line, total, peaks.of(line.in_integers)) for line in [*lines, whole])]
    print(*aligned(rows, LEFT), sep="\n")


def _cells(line: Line, total: float, peak: float) -> tuple[str, ...]:
    speeds = ("", "")
    # a clock may count in steps longer than what ran
    if line.flops and line.seconds:
        speed = line.flops / line.seconds
        speeds = f"{speed / 1e9:.1f}", f"{100 * speed / peak:.0f}"
    share = f"{100 * line.seconds / total:.1f} %"
    shape, time = "x".join(map(str, line.shape)), f"{line.seconds * 1e6:.2f}"
    return line.node, shape, time, share, *speeds, ", ".join(line.kernels)
