"""``bench``: every way is shown and checked against the reference, the profile names every layer; no speed matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnfast import Network
from cnnfast.errors import GraphError
from cnnfast.layers import Conv2d, Flatten, Linear, MaxPool, Relu
from cnnfast.ops import Conv2d as Convolution
from cnnfast.plan import make_plan
from cnnfast.report import ladder


@pytest.fixture(scope="module")
def winograd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of floats whose convolution the planner computes by Winograd."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("model") / "winograd.safetensors"
    layers = [
        *(Conv2d(rng.standard_normal((16, 16, 3, 3)), padding=1), Relu(), MaxPool(2)),
        *(Flatten(), Linear(rng.standard_normal((4, 256)))),
    ]
    Network.from_layers(layers, (16, 8, 8)).save(path)
    return path


def table(out: str, first: str) -> list[str]:
    """Return the lines from the one that begins with a word to the next empty one."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    return lines[start : lines.index("", start)] if "" in lines[start:] else lines[start:]


def test_the_ladder_and_the_profile(run, winograd):
    result = run("bench", winograd, "--batch", 20, "--seconds", 0, "--threads", 2)
    assert result.status == 0
    assert "floats 16x8x8" in result.out
    ways = [line.split("  ")[0] for line in table(result.out, "way")[1:-2]]
    assert ways == [
        *("NumPy, float64", "naive kernels", "images in the lanes, unfused, direct", "fused, direct"),
        *("fused, as planned", "fused, as planned"),
    ]
    profile = table(result.out, "layer")
    assert any("conv2d_f32_chwn_winograd4x3" in line for line in profile)
    assert profile[1].endswith("load")
    assert profile[-2].endswith("store")
    assert profile[-1].startswith("total")
    assert "100.0 %" in profile[-1]


def test_pictures_and_a_single_thread(run, model):
    result = run("bench", model, "--batch", 3, "--seconds", 0, "--threads", 1)
    assert result.status == 0
    assert "bytes 3x4x4" in result.out
    assert len([line for line in result.out.splitlines() if line.startswith("fused, as planned")]) == 1


@pytest.mark.parametrize(("batch", "layout", "lanes"), [(1, "nchwc", "an image at a time"), (64, "chwn", "images in")])
def test_few_images_are_timed_as_they_run(run, batch, layout, lanes):
    result = run("bench", "cifar10-cs61c", "--batch", batch, "--seconds", 0, "--layers")
    assert result.status == 0
    assert lanes in result.out
    assert f"dense_f32_{layout}_direct" in result.out


def test_layers_leaves_the_ladder_out(run, model):
    result = run("bench", model, "--seconds", 0, "--layers")
    assert result.status == 0
    assert "naive" not in result.out
    assert "softmax_f32_chwn_direct" in result.out


def test_integers_take_turns_with_their_floats(run):
    result = run("bench", "cifar10-cs61c-int8", "--batch", 20, "--seconds", 0, "--threads", 2)
    assert result.status == 0, result.err
    assert "GOP/s in products of bytes" in result.out
    rows = [line.split("  ")[0] for line in table(result.out, "way")[1:-2]]
    assert rows == ["NumPy, exact integers", *("in float, as planned", "in integers, as planned") * 2]
    profile = table(result.out, "layer")
    assert "GOP/s" in profile[0]
    assert any("conv2d_u8" in line for line in profile)


def test_integers_without_floats_run_alone(run, tmp_path):
    Network.load("cifar10-cs61c-int8").save(tmp_path / "own.safetensors")
    result = run("bench", tmp_path / "own.safetensors", "--batch", 8, "--seconds", 0, "--threads", 1)
    assert result.status == 0, result.err
    assert "in float, as planned" not in result.out
    assert "in integers, as planned" in result.out


def test_a_wrong_result_of_integers_is_not_timed(monkeypatch):
    subject = ladder.Subject.of(Network.load("cifar10-cs61c-int8"), batch=2)
    evaluate = ladder.evaluate
    monkeypatch.setattr(ladder, "evaluate", lambda *a: {k: v + 1 for k, v in evaluate(*a).items()})
    with pytest.raises(GraphError, match="in integers, as planned: the outputs are off by 1"):
        list(ladder.climb_integers(subject, None, threads=1, seconds=0))


@pytest.mark.parametrize("seconds", ["-1", "inf", "nan", "soon"])
def test_seconds_must_be_a_time(run, model, seconds):
    assert run("bench", model, f"--seconds={seconds}").status == 2


def test_wrong_results_are_not_timed(winograd, monkeypatch):
    subject = ladder.Subject.of(Network.load(winograd), batch=2)
    evaluate = ladder.evaluate
    monkeypatch.setattr(ladder, "evaluate", lambda *a: {k: v + 1 for k, v in evaluate(*a).items()})
    with pytest.raises(GraphError, match="naive kernels: the outputs are off by 1"):
        list(ladder.climb(subject, threads=1, seconds=0))


def test_algorithms_can_be_left_out(winograd):
    graph = Network.load(winograd).graph
    kernels = [step.kernel for step in make_plan(graph, algorithms=ladder.DIRECT).steps]
    assert any(isinstance(node.op, Convolution) for node in graph.nodes)
    assert "conv2d_f32_chwn_direct" in kernels
    assert not any("winograd" in kernel for kernel in kernels)
