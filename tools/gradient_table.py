"""The tables of docs/training.md: errors of gradients, measured now, and speeds from bench/results/train.json.

PYTHONPATH=src:tests python tools/gradient_table.py          print the tables
PYTHONPATH=src:tests python tools/gradient_table.py --write  put them into docs/training.md, between their markers
"""

from __future__ import annotations

import json
from typing import Any

import marked
from train.differences import error_of_loss, errors_of_case, kinds

from cnnfast.runtime.dispatch import kernels
from cnnfast.train.losses import LOSSES

PAGE = marked.ROOT / "docs" / "training.md"
RESULTS = marked.ROOT / "bench" / "results" / "train.json"


def errors() -> str:
    """Return the largest relative error of the gradients of each op, over its cases."""
    rows = []
    for name, cases in kinds().items():
        worst: dict[str, float] = {}
        for case in cases:
            for value, error in errors_of_case(case).items():
                key = "input" if value.startswith("x") else value
                worst[key] = max(worst.get(key, 0), error)
        rows.append((f"`{name}`", str(len(cases)), ", ".join(f"{key} {error:.0e}" for key, error in worst.items())))
    rows += [(f"`{name}`", "1", f"scores {error_of_loss(loss()):.0e}") for name, loss in LOSSES.items()]
    head = ("op or loss", "cases", "largest relative error of the gradient of")
    table = marked.as_table([head, *rows], left=range(3))
    return f"Instruction set: {kernels.active_isa()}.\n\n{table}"


def speeds() -> str:
    """Return images/s of training on each machine, ours and the best of PyTorch's ways."""
    runs = json.loads(RESULTS.read_text())
    machines = list(dict.fromkeys((run["cpu"], run["threads"], run["isa"], run["versions"]["torch"]) for run in runs))
    tables = []
    for machine in machines:
        cpu, threads, isa, torch = machine
        own = [r for r in runs if (r["cpu"], r["threads"], r["isa"], r["versions"]["torch"]) == machine]
        caption = f"{cpu}, {threads} threads, {isa}, PyTorch {torch}, {own[-1]['time'][:10]}; medians, and the best."
        head = ("network", "batch", "cnnfast, images/s", "PyTorch's best way", "ratio", "of the best")
        tables.append(caption + "\n\n" + marked.as_table([head, *map(_row, own)], left=range(6)))
    return "\n\n".join(tables)


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    ratios = []
    for kind in ("best", "median"):
        rates = {way: rate[kind] for way, rate in run["images_per_second"].items()}
        ours = rates.pop("cnnfast")
        way = max(rates, key=lambda name: rates[name])
        ratios.append(f"{ours / rates[way]:.1f}")
    name, batch = f"{run['network']} {run['title']}", str(run["batch"])
    return name, batch, f"{ours:,.0f}", f"{rates[way]:,.0f} ({way})", ratios[1], ratios[0]


if __name__ == "__main__":
    marked.run(PAGE, "gradients", errors())
    marked.run(PAGE, "speeds", speeds())
