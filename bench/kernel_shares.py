"""Which share of the peak of multiply-adds each kernel of convolutions and dense layers reaches in the networks.

    python bench/kernel_shares.py --seconds 2 --output bench/results/kernels/zen_5.json

For each instruction set of this machine, and each way in which it multiplies bytes, the peak is measured, every network
is profiled step by step, and operations and times are summed for each kernel. Convolutions count as direct ones, so
Winograd may exceed the peak. Writes a file of bench/results/kernels, from which tools/kernel_table.py makes two tables
of docs/kernels.md: a file for each kind of CPU.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import machine
import numpy as np
from integer_networks import integer_network
from networks import BENCHES

from cnnfast import Network
from cnnfast.ops import Conv2d, Fused, Linear
from cnnfast.ops.quantized import IntegerConv2d, IntegerLinear
from cnnfast.plan import Plan, make_plan
from cnnfast.report.ladder import Subject
from cnnfast.report.profile import profile
from cnnfast.runtime.dispatch import kernels

NETWORKS = ("n1", "n2", "n3", "n4", "n5", "n6", "n7")

OF_INTEGERS = ("n1", "n2", "n3", "n4", "n5", "n7")
"""Those of integers: n6 takes over a minute to calibrate, and has no layer that n5 lacks."""

Work = dict[tuple[str, str], list[float]]
"""Operations and seconds of each (kernel, kind of layer)."""


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="Measure each kernel's share of the peak.")
    parser.add_argument("--seconds", type=float, default=1, help="for each network, layout and instruction set")
    parser.add_argument("--output", type=Path, required=True, help="such as bench/results/kernels/zen_5.json")
    arguments = parser.parse_args()
    seconds, before, rows = arguments.seconds, kernels.active_isa(), []
    for isa in kernels.supported_isas():
        kernels.select_isa(isa)
        networks = {id: BENCHES[id].network() for id in NETWORKS}
        rows += shares(isa, kernels.fma_peak(), measure(networks, ("chwn", "nchw"), seconds))
        integers = {id: integer_network(id) for id in OF_INTEGERS}
        for way in kernels.dot_products():
            kernels.select_dot_product(way)
            work = measure(integers, ("chwn", "nchwc"), seconds)
            rows += shares(f"{isa} {way}", kernels.dot_peak(), work)
    kernels.select_isa(before)
    networks = {"networks": NETWORKS, "networks_of_integers": OF_INTEGERS}
    arguments.output.write_text(json.dumps({**machine.facts(), **networks, "rows": rows}, indent=1) + "\n")


def shares(way: str, peak: float, work: Work) -> list[dict[str, object]]:
    """Return, and print, the share of the peak that each kernel reached with an instruction set."""
    rows = []
    for (kernel, layer), (operations, time) in work.items():
        share = operations / time / 1e9 / peak
        rows.append({"kernel": kernel, "kind": layer, "isa": way, "peak": peak, "share": share})
        print(f"{kernel:32} {layer:12} {way:16} {share:6.1%}", flush=True)
    return rows


def measure(networks: dict[str, Network], layouts: tuple[str, ...], seconds: float) -> Work:
    """Return the work of every kernel in all networks, by the instruction set that is active."""
    work: Work = defaultdict(lambda: [0.0, 0.0])
    for net in networks.values():
        subject = Subject.of(net, kernels.lanes())
        for layout in layouts:
            add(work, make_plan(subject.graph, layout), subject, seconds)
    return work


def add(work: Work, plan: Plan, subject: Subject, seconds: float) -> None:
    """Add the work of a plan's convolutions and dense layers."""
    for line in profile(plan, np.ascontiguousarray(subject.images), subject.pixels, seconds):
        layer = kind(plan, line.node)
        if layer:
            kernel = next(name for name in line.kernels if name.startswith(("conv2d", "dense", "linear")))
            entry = work[kernel, layer]
            entry[0] += line.flops
            entry[1] += line.seconds


def kind(plan: Plan, name: str) -> str:
    """Return what kind of layer a node is, or nothing."""
    node = plan.graph.by_name.get(name)
    op = node.op.base if node and isinstance(node.op, Fused) else node.op if node else None
    if isinstance(op, Linear | IntegerLinear):
        return "dense"
    if not isinstance(op, Conv2d | IntegerConv2d) or node is None:
        return ""
    _, channels, kh, kw = plan.graph.shapes[node.inputs[1]]
    return f"depthwise {kh}x{kw}" if op.groups > 1 and channels == 1 else f"{kh}x{kw}"


if __name__ == "__main__":
    main()
