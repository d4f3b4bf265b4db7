"""Runs ONNX's own conformance suite through `CnnfastBackend` and writes down what came out."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from formats.onnx_backend import CnnfastBackend
from onnx import ModelProto, numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.runner import Runner

from cnnfast.errors import CnnfastError
from cnnfast.formats.onnx.fold import FOLDS
from cnnfast.formats.onnx.operators import OPERATORS

DATA = Path(loader.DATA_DIR)
STORED = ("simple", "pytorch-operator", "pytorch-converted")
"""Folders of the suite that hold whole models with their data."""

KNOWN = {*OPERATORS, *FOLDS, "Constant"}

Data = Sequence[tuple[Sequence[Any], Sequence[Any]]]


@dataclass(frozen=True)
class Outcome:
    """What became of one test: ``result`` is run, computed in advance, out of scope, or wrong."""

    name: str
    result: str
    reason: str = ""


def node_outcomes() -> list[Outcome]:
    """Run every test of a single operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = loader.load_model_tests(kind="node")
    return [outcome(c.name, c.model, c.data_sets, c.rtol, c.atol) for c in cases]


def stored_outcomes() -> list[Outcome]:
    """Run every small model that the package holds together with its data."""
    outcomes = []
    for kind in STORED:
        for case in sorted(loader.load_model_tests(kind=kind), key=lambda c: c.name):
            folder = Path(case.model_dir)
            model = onnx.load(folder / "model.onnx")
            outcomes.append(outcome(case.name, model, list(_stored_data(folder, model)), case.rtol, case.atol))
    return outcomes


def light_outcomes(only: Iterable[str] = ()) -> list[Outcome]:
    """Run the large classifiers whose weights are made by a few nodes, on the suite's own images."""
    outcomes = []
    for case in sorted(loader.load_model_tests(kind="real"), key=lambda c: c.name):
        if only and case.model_name not in only:
            continue
        path = DATA / "light" / f"light_{case.model_name}.onnx"
        model = onnx.load(path)
        known = {tensor.name for tensor in model.graph.initializer}
        images = [Runner.generate_dummy_data(v) for v in model.graph.input if v.name not in known]
        expected = onnx.load_tensor(path.with_name(f"light_{case.model_name}_output_0.pb"))
        data = [(images, [numpy_helper.to_array(expected)])]
        outcomes.append(outcome(f"light_{case.model_name}", model, data, case.rtol, case.atol))
    return outcomes


def _stored_data(folder: Path, model: ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    for data in sorted(folder.glob("test_data_set_*")):
        values: dict[str, list[Any]] = {"input": [], "output": []}
        for part, declared in (("input", model.graph.input), ("output", model.graph.output)):
            for index in range(len(list(data.glob(f"{part}_*.pb")))):
                if declared[index].type.WhichOneof("value") == "tensor_type":
                    values[part].append(numpy_helper.to_array(onnx.load_tensor(data / f"{part}_{index}.pb")))
                else:
                    values[part].append([])
        yield values["input"], values["output"]


def outcome(name: str, model: ModelProto, data: Data, rtol: float, atol: float) -> Outcome:
    """Run one test as the suite's own runner does."""
    try:
        prepared = CnnfastBackend.prepare(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for inputs, expected in data:
                results = prepared.run([_array(x) for x in inputs])
                Runner.assert_similar_outputs([_array(x) for x in expected], results, rtol, atol)
    except CnnfastError as error:
        return Outcome(name, "out of scope", _reason(model, str(error)))
    except RuntimeError as error:
        # the converter from before operator set 7 does not know everything
        return Outcome(name, "out of scope", f"not convertible to operator set 7: {str(error)[:60]}")
    except AssertionError as error:
        return Outcome(name, "wrong", str(error))
    return Outcome(name, prepared.how)


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _reason(model: ModelProto, message: str) -> str:
    """Return why a test is out of scope, in half a line."""
    strange = sorted({node.op_type for node in model.graph.node} - KNOWN)
    if strange:
        return f"operator {strange[0]}"
    found = re.search(r"\) on [^\n]*?: ([^\n]*?)(; nearest[^\n]*)?$", message, re.MULTILINE)
    why = found[1] if found else message.partition(" as images: ")[2] or message
    # sizes and names tell nothing here
    return re.sub(r"\s+", " ", re.sub(r"\[[^]]*\]|\([^)]*\)", "…", why.splitlines()[0]))[:100]


def page(nodes: Sequence[Outcome], stored: Sequence[Outcome]) -> str:
    """Return the outcome as Markdown."""
    lines = [
        f"Written with onnx {onnx.__version__}.",
        "",
        "| tests | run | computed in advance | out of scope | wrong |",
    ]
    lines += ["|---|---|---|---|---|"]
    results = ("run", "computed in advance", "out of scope", "wrong")
    for title, outcomes in (("one operator each", nodes), ("small models with data", stored)):
        counts = [sum(o.result == result for o in outcomes) for result in results]
        lines.append(f"| {title}: {len(outcomes)} | {' | '.join(map(str, counts))} |")
    lines += ["", "### Out of scope", ""]
    groups: dict[str, list[str]] = defaultdict(list)
    for o in (*nodes, *stored):
        if o.result == "out of scope":
            groups[o.reason].append(o.name.removeprefix("test_"))
    for reason in sorted(groups, key=str.lower):
        lines.append(f"- {reason}: {', '.join(f'`{name}`' for name in sorted(groups[reason]))}")
    lines += ["", "### Passed", ""]
    for result in results[:2]:
        names = sorted(o.name.removeprefix("test_") for o in (*nodes, *stored) if o.result == result)
        lines.append(f"- {result}: {', '.join(f'`{name}`' for name in names)}")
    return "\n".join(lines)


def light_table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcome of the large classifiers as Markdown."""
    rows = [f"| `{o.name.removeprefix('light_')}` | {o.reason or o.result} |" for o in outcomes]
    return "\n".join(["| network | |", "|---|---|", *rows])
