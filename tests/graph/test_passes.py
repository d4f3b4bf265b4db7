"""The passes: same outputs, less work, nothing left to do the second time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast.graph import PASSES, Graph, Node, constant, evaluate, optimize
from cnnfast.graph.passes import Pass, push_transposes
from cnnfast.ops import Add, BatchNorm, Conv2d, Dropout, Flatten, Fused, Gelu, MaxPool, Relu, Reshape


def assert_same_outputs(before: Graph, after: Graph, inputs: dict[str, np.ndarray]) -> None:
    """Compare in float64; 1e-9 of the largest value leaves room for another order of additions and for nothing else."""
    assert after.outputs == before.outputs
    assert dict(after.inputs) == dict(before.inputs)
    expected, actual = evaluate(before, inputs), evaluate(after, inputs)
    for name in before.outputs:
        assert after.shapes[name] == before.shapes[name]
        scale = max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=1e-9 * scale, err_msg=name)


def computing(graph: Graph) -> int:
    """Return how many nodes compute something: a new shape is another name of the same memory."""
    return sum(not isinstance(node.op, Reshape | Flatten) for node in graph.nodes)


@pytest.mark.parametrize("simplify", [*PASSES, optimize], ids=lambda p: p.__name__)
@given(seed=seeds())
def test_outputs_stay_the_same_and_the_second_time_changes_nothing(simplify: Pass, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    after = simplify(graph)
    assert_same_outputs(graph, after, random_inputs(graph, rng))
    assert simplify(after) is after
    assert computing(after) <= computing(graph)
    # these two may put reshapes where a transpose was
    assert simplify in (push_transposes, optimize) or len(after.nodes) <= len(graph.nodes)


@settings(max_examples=20)
@given(seed=seeds())
def test_passes_do_not_depend_on_the_order_of_the_nodes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    turned = Graph(graph.inputs, graph.nodes[::-1], graph.constants, graph.outputs)
    assert_same_outputs(graph, optimize(turned), random_inputs(graph, rng))


@settings(max_examples=20)
@given(seed=seeds())
def test_passes_in_any_order_are_correct(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = after = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    for index in rng.permutation(len(PASSES)):
        after = PASSES[index](after)
    assert_same_outputs(graph, after, random_inputs(graph, rng))


def test_fusing_leaves_no_layer_before_its_activation() -> None:
    """Every convolution or linear layer whose only reader is an activation or a batch-norm has taken it."""
    for seed in range(30):
        graph = optimize(random_graph(np.random.default_rng(seed)))
        for node in graph.nodes:
            if isinstance(node.op, Conv2d) and node.name not in graph.outputs:
                readers = graph.consumers[node.name]
                assert len(readers) > 1 or readers[0].op.name not in ("relu", "batch_norm", "max_pool"), seed


def test_the_shapes_of_airbench_and_of_resnet() -> None:
    """Convolution, max-pool, batch-norm, GELU; and the residual block with batch-norm before the add."""
    airbench = net(
        ("conv", Conv2d(), "x", "w"),
        ("pool", MaxPool(2), "conv"),
        ("norm", BatchNorm(), "pool", "p", "p", "p", "p"),
        ("y", Gelu(), "norm"),
        w=(4, 3, 3, 3),
        p=[0.5, 1.0, 1.5, 2.0],
    )
    assert [node.op for node in optimize(airbench).nodes] == [Fused(Conv2d(), (MaxPool(2),), 3), Gelu()]
    same = Conv2d(padding=1)
    resnet = net(
        ("conv1", same, "x", "w"),
        ("norm1", BatchNorm(), "conv1", "p", "p", "p", "p"),
        ("relu1", Relu(), "norm1"),
        ("conv2", same, "relu1", "w"),
        ("norm2", BatchNorm(), "conv2", "p", "p", "p", "p"),
        ("drop", Dropout(), "x"),
        ("sum", Add(), "norm2", "drop"),
        ("y", Relu(), "sum"),
        w=(3, 3, 3, 3),
        p=[0.5, 1.0, 1.5],
    )
    assert [node.op for node in optimize(resnet).nodes] == [Fused(same, (Relu(),), 3), Fused(same, (Add(), Relu()), 3)]


def test_twenty_thousand_nodes() -> None:
    """A pass that is quadratic in the number of nodes would be felt here."""
    ops = (Conv2d(), Relu())
    nodes = [
        Node(f"n{i + 1}", ops[i % 2], (f"n{i}", "w") if i % 2 == 0 else (f"n{i}",)) for i in range(20_000)
    ]  # fmt: skip
    graph = Graph({"n0": (1, 2, 2)}, tuple(nodes), {"w": constant(np.ones((1, 1, 1, 1)))}, ("n20000",))
    after = optimize(graph)
    assert len(after.nodes) == 10_000
    assert all(isinstance(node.op, Fused) for node in after.nodes)
