"""Measure how long loading and planning take against the number of nodes: it must stay near n log n.

    python bench/bench_load.py --nodes 100 1000 5000

Three forms of a network, each as an ONNX file and as a file of ours: a chain, a sum of many values, a value cut into
many that are joined again. Writes bench/results/load.json, from which tools/load_plot.py draws docs/img/load.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np

from cnnfast.formats import Model, load_model, save
from cnnfast.graph import Graph, Node
from cnnfast.ops import Add, Concat, Slice, Tanh
from cnnfast.plan import make_plan

RESULTS = machine.FOLDER / "results" / "load.json"

NODES = (100, 300, 1_000, 3_000, 10_000, 20_000)

PATIENCE = 60.0
"""A form that takes longer than this, in seconds, is not tried with more nodes."""


def chain(n: int) -> Graph:
    """Return a value that goes through n nodes, one after the other."""
    nodes = [Node(f"n{i}", Tanh(), (f"n{i - 1}" if i else "x",)) for i in range(n)]
    return Graph({"x": (4, 2, 2)}, tuple(nodes), {}, (nodes[-1].name,))


def wide_sum(n: int) -> Graph:
    """Return n branches that are added up."""
    half = n // 2
    branches = [Node(f"b{i}", Tanh(), ("x",)) for i in range(half)]
    sums = [Node(f"s{i}", Add(), (f"s{i - 1}" if i > 1 else "b0", f"b{i}")) for i in range(1, half)]
    return Graph({"x": (4, 2, 2)}, (*branches, *sums), {}, (sums[-1].name,))


def cut(n: int) -> Graph:
    """Return a value that is cut into n pieces, which are joined again in the opposite order."""
    pieces = [Node(f"p{i}", Slice((i, 0, 0), (1, 1, 1)), ("x",)) for i in range(n - 1)]
    joined = Node("y", Concat(), tuple(piece.name for piece in reversed(pieces)))
    return Graph({"x": (n - 1, 1, 1)}, (*pieces, joined), {}, ("y",))


FORMS: dict[str, Callable[[int], Graph]] = {"chain": chain, "wide sum": wide_sum, "cut": cut}


def write_native(form: str, n: int, path: Path) -> None:
    """Write a form as a file of ours."""
    save(Model(FORMS[form](n)), path)


def write_onnx(form: str, n: int, path: Path) -> None:
    """Write a form as ONNX has it: a Sum takes any number of inputs there, and a Split has any number of outputs."""
    from onnx import TensorProto, helper

    shape, weights = [1, 4, 2, 2], []
    if form == "chain":
        nodes = [helper.make_node("Tanh", [f"n{i - 1}" if i else "x"], [f"n{i}"]) for i in range(n)]
    elif form == "wide sum":
        branches = [f"b{i}" for i in range(n // 2)]
        nodes = [helper.make_node("Tanh", ["x"], [branch]) for branch in branches]
        nodes.append(helper.make_node("Sum", branches, ["y"]))
    else:
        shape = [1, n - 1, 1, 1]
        pieces = [f"p{i}" for i in range(n - 1)]
        nodes = [
            helper.make_node("Split", ["x", "sizes"], pieces, axis=1),
            helper.make_node("Concat", pieces[::-1], ["y"], axis=1),
        ]
        weights = [helper.make_tensor("sizes", TensorProto.INT64, [n - 1], np.ones(n - 1, np.int64))]
    graph = helper.make_graph(
        nodes,
        form,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        weights,
    )
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


FORMATS = {"cnnfast": (write_native, "net.safetensors"), "onnx": (write_onnx, "net.onnx")}


def measure(path: Path) -> dict[str, float]:
    """Return the seconds of processor time that loading a file takes, and planning it."""
    start = time.process_time()
    graph = load_model(path).graph
    loaded = time.process_time()
    assert make_plan(graph).program is not None
    return {"load": loaded - start, "plan": time.process_time() - loaded}


def growth(rows: list[dict[str, Any]]) -> float:
    """Return the exponent by which time grows with n log n over the larger half of the sizes: 1 is proportional."""
    last, first = rows[-1], rows[max(0, len(rows) - 3)]
    size, seconds = (lambda r: r["nodes"] * math.log(r["nodes"])), (lambda r: r["load"] + r["plan"])
    return math.log(seconds(last) / seconds(first)) / math.log(size(last) / size(first)) if last is not first else 1.0


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="Measure load and plan time against the number of nodes.")
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES)
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of this many counts")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'':10}{'':10}{'nodes':>8}{'load, s':>10}{'plan, s':>10}{'µs/node':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            for name, (write, file) in FORMATS.items():
                of_form: list[dict[str, Any]] = []
                for n in args.nodes:
                    if of_form and of_form[-1]["load"] + of_form[-1]["plan"] > PATIENCE:
                        print(f"{form:10}{name:10}{n:8,} not tried")
                        continue
                    path = Path(folder, file)
                    write(form, n, path)
                    times = [measure(path) for _ in range(args.rounds)]
                    best = {key: min(t[key] for t in times) for key in times[0]}
                    of_form.append({"form": form, "format": name, "nodes": n, "bytes": path.stat().st_size, **best})
                    each = 1e6 * sum(best.values()) / n
                    print(f"{form:10}{name:10}{n:8,}{best['load']:10.3f}{best['plan']:10.3f}{each:10.0f}", flush=True)
                print(f"{form:10}{name:10}grows like (n log n) to the power of {growth(of_form):.2f}", flush=True)
                rows += of_form
    RESULTS.write_text(json.dumps({**machine.facts(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
