"""The tables of docs/training.md: errors of gradients, measured now, and speeds from bench/results/train.json.

PYTHONPATH=src:tests python tools/gradient_table.py          print the tables
PYTHONPATH=src:tests python tools/gradient_table.py --write  put them into docs/training.md, between their markers
"""

from __future__ import annotations

import json

import marked
from kernel_table import markdown
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
    table = markdown(("op or loss", "cases", "largest relative error of the gradient of"), rows)
    return f"Instruction set: {kernels.active_isa()}.\n\n{table}"


def speeds() -> str:
    """Return images/s of training, ours and the best of PyTorch's ways."""
    rows = []
    for run in json.loads(RESULTS.read_text()):
        rates = {way: rate["median"] for way, rate in run["images_per_second"].items()}
        ours = rates.pop("cnnfast")
        way = max(rates, key=lambda name: rates[name])
        name, batch = f"{run['network']} {run['title']}", str(run["batch"])
        rows.append((name, batch, f"{ours:,.0f}", f"{rates[way]:,.0f} ({way})", f"{ours / rates[way]:.1f}"))
    last = json.loads(RESULTS.read_text())[-1]
    caption = f"{last['cpu']}, {last['threads']} threads, {last['isa']}, PyTorch {last['versions']['torch']}; medians."
    return caption + "\n\n" + markdown(("network", "batch", "cnnfast, images/s", "PyTorch's best way", "ratio"), rows)


if __name__ == "__main__":
    marked.run(PAGE, "gradients", errors())
    marked.run(PAGE, "speeds", speeds())
