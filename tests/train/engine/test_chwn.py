"""The fast engine against the slow one in float64: every op, any number of images, threads and instruction sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernels.engines import ENGINES, using
from train.nets import NETS, Weights, batch, net, training_engines

from cnnfast import layers as make
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node
from cnnfast.layers import Flatten, Linear, build_graph
from cnnfast.ops import OPS, Conv2d, Exp, GroupNorm, LayerNorm, Op, ReduceMean
from cnnfast.ops import Add as Add_
from cnnfast.ops import Flatten as Flatten_
from cnnfast.ops import GlobalAvgPool as GlobalAvgPool_
from cnnfast.ops import Linear as Linear_
from cnnfast.ops.gradients import has_gradient
from cnnfast.runtime.dispatch import kernels
from cnnfast.train.engine.chwn import ChwnEngine, make_engine
from cnnfast.train.engine.packing import element_numbers
from cnnfast.train.engine.reference import ReferenceEngine
from cnnfast.train.losses import LOSSES, Loss, SoftmaxCrossEntropy

L = kernels.lanes()
SETS = [name for name in ENGINES if name != "nchw"]

RELATIVE = 2e-5
"""How far a float32 gradient may be off, measured by the largest gradient of any parameter of the network."""


def compare(graph: Graph, images: int, loss: Loss, **options: object) -> None:
    x, labels = batch(images)
    slow = ReferenceEngine(graph, loss, images, **options)  # type: ignore[arg-type]
    fast = ChwnEngine(graph, loss, images, threads=2, **options)  # type: ignore[arg-type]
    expected, scores = slow.step(x, labels, 3)
    value, found = fast.step(x, labels, 3)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(found, scores, atol=1e-5 * np.abs(scores).max())
    largest = max(float(np.abs(grad).max()) for grad in slow.gradients.values())
    for name, grad in slow.gradients.items():
        np.testing.assert_allclose(fast.gradients[name], grad, atol=RELATIVE * largest, rtol=0, err_msg=name)
    for name, array in slow.parameters.items():
        np.testing.assert_allclose(fast.parameters[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("name", NETS)
def test_every_network(name: str, isa: str) -> None:
    with using(isa):
        compare(net(name), 19, SoftmaxCrossEntropy(0.1))


@pytest.mark.parametrize("images", [2, L - 1, L, L + 1, 3 * L])
@pytest.mark.parametrize("name", ["norms", "residual"])
def test_any_number_of_images(name: str, images: int) -> None:
    compare(net(name), images, SoftmaxCrossEntropy())


@pytest.mark.parametrize("loss", [cls() for cls in LOSSES.values()], ids=lambda loss: loss.name)
def test_every_loss(loss: Loss) -> None:
    compare(net("plain"), 20, loss)


@pytest.mark.parametrize("last", [["linear_2.weight"], ["linear_2.bias", "batch_norm_3.scale"]], ids=str)
def test_frozen_layers(last: list[str]) -> None:
    compare(net("norms"), 20, SoftmaxCrossEntropy(), trainable=last)


def test_nothing_is_computed_below_the_lowest_trained_layer() -> None:
    engine = ChwnEngine(net("norms"), SoftmaxCrossEntropy(), 20, trainable=["linear_1.weight"])
    backward = {step.node for step in engine.plan.steps if step.result.startswith("d:")}
    assert not backward & {"flatten_1", "max_pool_1", "conv2d_2", "conv2d_1"}


def test_a_smaller_batch_after_a_large_one() -> None:
    engines = [ChwnEngine(net("residual"), SoftmaxCrossEntropy(), count, threads=1) for count in (3 * L + 2, 5)]
    engines[0].step(*batch(3 * L + 2), 0)
    for engine in engines:
        engine.step(*batch(5), 1)
    for name, grad in engines[1].gradients.items():
        np.testing.assert_array_equal(engines[0].gradients[name], grad)


@pytest.mark.parametrize("name", NETS)
def test_the_number_of_threads_changes_no_bit(name: str) -> None:
    results = []
    for threads in (1, 2, 3, 2):
        engine = ChwnEngine(net(name), SoftmaxCrossEntropy(), 40 * L, threads=threads)
        loss, scores = engine.step(*batch(18 * L + 3), 7)
        results.append([np.float64(loss), scores, *engine.gradients.values(), *engine.parameters.values()])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_parameters_are_read_anew_in_each_step() -> None:
    for name in NETS:
        engine = ChwnEngine(net(name), SoftmaxCrossEntropy(), 8)
        engine.step(*batch(8), 0)
        for parameter, grad in engine.gradients.items():
            engine.parameters[parameter] -= np.float32(0.1) * grad
        fresh = ChwnEngine(engine.trained_graph(), SoftmaxCrossEntropy(), 8)
        assert engine.step(*batch(8), 1)[0] == fresh.step(*batch(8), 1)[0], name


def test_bytes_become_values() -> None:
    pixels = (np.array([0.1, 0.2, 0.3], np.float32), np.array([-1, 0, 1], np.float32))
    engine = ChwnEngine(net("plain"), SoftmaxCrossEntropy(), 8, pixels=pixels)
    x, labels = np.random.default_rng(0).integers(0, 256, (8, 3, 12, 12), np.uint8), np.arange(8) % 4
    values = (x * pixels[0][:, None, None] + pixels[1][:, None, None]).astype(np.float32)
    scores = engine.step(x, labels, 0)[1]
    np.testing.assert_allclose(scores, engine.step(values, labels, 0)[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(
        scores, engine.step(np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), labels, 0)[1]
    )


def test_every_op_is_reached() -> None:
    engines = training_engines()
    assert {name for name, op in OPS.items() if has_gradient(op.__new__(op))} <= {
        node.op.name for engine in engines for node in engine.whole.nodes
    }


def test_the_fast_engine_is_what_make_engine_returns() -> None:
    graph = build_graph([Flatten(), Linear(np.ones((4, 432)), np.zeros(4))], (3, 12, 12))
    engine = make_engine(graph, SoftmaxCrossEntropy(), 4, threads=1)
    assert isinstance(engine, ChwnEngine)
    assert "activations" in engine.explain()


def test_nodes_without_a_way_back_are_all_listed() -> None:
    body = [make.Pad((1, 1, 1, 1), mode=mode) for mode in ("reflect", "edge")]
    layers = [Weights().conv(3, 2, 3), *body, make.GlobalAvgPool(), make.Flatten(), Weights().dense(2, 4)]
    with pytest.raises(UnsupportedError, match=r"pad_2 \(pad\).*mode edge\n  pad_1 \(pad\)"):
        ChwnEngine(build_graph(layers, (3, 12, 12)), SoftmaxCrossEntropy(), 4)
    foreign = [Node("conv", Conv2d(), ("x", "w")), Node("m", ReduceMean((2, 3)), ("conv",)), Node("e", Exp(), ("m",))]
    weights = {"w": np.zeros((4, 3, 1, 1), np.float32)}
    graph = Graph({"x": (3, 12, 12)}, (*foreign, Node("f", Flatten_(), ("e",))), weights, ("f",))
    with pytest.raises(UnsupportedError, match=r"m \(reduce_mean\)\n  e \(exp\)"):
        ChwnEngine(graph, SoftmaxCrossEntropy(), 4)


@pytest.mark.parametrize("norm", [LayerNorm((1, 2, 3)), LayerNorm((1,)), GroupNorm(2)], ids=repr)
def test_parameters_of_ops_without_a_gradient_below_the_trained_layers(norm: Op) -> None:
    rng = np.random.default_rng(3)
    shape = (4, 12, 12) if norm == LayerNorm((1, 2, 3)) else (4,)
    weights = {
        "w": rng.standard_normal((4, 3, 3, 3)),
        "scale": rng.standard_normal(shape),
        "shift": rng.standard_normal(shape),
        "head": rng.standard_normal((4, 576)) / 20,
    }
    nodes = (
        Node("conv", Conv2d(padding=1), ("x", "w")),
        Node("norm", norm, ("conv", "scale", "shift")),
        Node("flat", Flatten_(), ("norm",)),
        Node("y", Linear_(), ("flat", "head")),
    )
    compare(Graph({"x": (3, 12, 12)}, nodes, weights, ("y",)), 7, SoftmaxCrossEntropy(), trainable=["head"])


@pytest.mark.slow
def test_a_layer_of_more_elements_than_float32_can_number() -> None:
    rng = np.random.default_rng(0)
    sizes = (4, 4200, 4200, 4)
    weights = {
        f"w{i}": rng.standard_normal((o, f), np.float32) / np.float32(np.sqrt(f))
        for i, (f, o) in enumerate(itertools.pairwise(sizes))
    }
    assert weights["w1"].size > 1 << 24
    nodes = (
        Node("a", Linear_(), ("x", "w0")),
        Node("b", Linear_(), ("a", "w1")),
        Node("y", Linear_(), ("b", "w2")),
    )
    graph = Graph({"x": (4,)}, nodes, weights, ("y",))
    x, labels = rng.standard_normal((3, 4)).astype(np.float32), np.array([0, 1, 3])
    engines = [ReferenceEngine(graph, SoftmaxCrossEntropy(), 3), ChwnEngine(graph, SoftmaxCrossEntropy(), 3)]
    (expected, scores), (value, found) = (engine.step(x, labels, 0) for engine in engines)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(found, scores, atol=1e-5 * np.abs(scores).max())
    for name, grad in engines[0].gradients.items():
        np.testing.assert_allclose(engines[1].gradients[name], grad, atol=RELATIVE * np.abs(grad).max(), rtol=0)


def test_more_elements_than_an_index_can_number_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"fc.weight has 2147549184 elements.*2147483647"):
        element_numbers("fc.weight", (65538, 32768))


def test_parameters_are_packed_where_they_are_read() -> None:
    """Two convolutions with the same weights share what is packed; biases are read in place."""
    weights = {"w": np.ones((3, 3, 1, 1), np.float32), "b": np.ones(3, np.float32), "head": np.ones((4, 3), np.float32)}
    nodes = (
        Node("a", Conv2d(), ("x", "w", "b")),
        Node("c", Conv2d(), ("a", "w", "b")),
        Node("m", GlobalAvgPool_(), ("c",)),
        Node("f", Flatten_(), ("m",)),
        Node("y", Linear_(), ("f", "head")),
    )
    engine = ChwnEngine(Graph({"x": (3, 12, 12)}, nodes, weights, ("y",)), SoftmaxCrossEntropy(), 4)
    first, second = (step for step in engine.plan.steps if step.node in "ac" and step.result in "ac")
    assert first.arrays()[0] is second.arrays()[0]
    assert first.arrays()[1] is engine.parameters["b"]
    compare(Graph({"x": (3, 12, 12)}, nodes, weights, ("y",)), 5, SoftmaxCrossEntropy())


def test_a_trained_parameter_that_is_read_as_a_value_is_refused_and_a_frozen_one_is_not() -> None:
    weights = {"w": np.ones((4, 432), np.float32), "b": np.arange(4, dtype=np.float32)}
    nodes = (
        Node("f", Flatten_(), ("x",)),
        Node("a", Linear_(), ("f", "w", "b")),
        Node("y", Add_(), ("a", "b")),
    )
    graph = Graph({"x": (3, 12, 12)}, nodes, weights, ("y",))
    with pytest.raises(UnsupportedError, match=r"y \(add\): reads 'b'; freeze it: frozen_params=\['b'\]"):
        ChwnEngine(graph, SoftmaxCrossEntropy(), 4)
    compare(graph, 5, SoftmaxCrossEntropy(), trainable=["w"])
