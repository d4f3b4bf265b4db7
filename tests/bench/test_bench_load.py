"""``bench/bench_load.py``: the networks have as many nodes as they say, and both files are the same network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from bench_load import FORMATS, FORMS, growth

from cnnfast.formats import load_model
from cnnfast.graph import evaluate


@pytest.mark.parametrize("form", FORMS)
def test_files_of_both_formats_hold_the_same_network(form: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")
    results = []
    for write, file in FORMATS.values():
        write(form, 60, tmp_path / file)
        graph = load_model(tmp_path / file).graph
        assert 58 <= len(graph.nodes) <= 60
        (name,), (output,) = graph.inputs, graph.outputs
        values = np.random.default_rng(0).standard_normal((2, *graph.inputs[name]))
        results.append(evaluate(graph, {name: values})[output])
    np.testing.assert_allclose(*results, rtol=1e-12)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_growth_is_the_power_of_n_log_n(power: float) -> None:
    rows = [{"nodes": n, "load": 0.5 * (n * math.log(n)) ** power, "plan": 0.0} for n in (100, 1000, 3000, 10_000)]
    assert growth(rows) == pytest.approx(power)
    assert growth(rows[:1]) == 1.0
