"""Random networks through the whole of `cnnfast.quantize`: what it returns is what its reference computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

import cnnfast
from cnnfast import Network, ops
from cnnfast.errors import CnnfastError, GraphError
from cnnfast.graph import Graph, Node, evaluate

EXPECTED = ("no layer of this network can compute with integers", "is not finite")


def one_output(graph: Graph) -> Graph:
    """Return the part of a graph that its last output needs: a network has one."""
    return graph.cut(graph.outputs[-1:])


@settings(max_examples=40)
@given(seed=seeds())
def test_the_network_of_integers_is_bit_identical_to_its_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = one_output(random_graph(rng, any_rank=bool(rng.random() < 0.3)))
    images = random_inputs(graph, rng, images=20)["x"]
    try:
        float_net = Network.from_graph(graph)
        expected = float_net.forward(images, layout="nchw")
    except CnnfastError:
        # nothing to compare with: not a classifier
        return
    try:
        result = cnnfast.quantize(float_net, images, layout="nchw", progress=False)
    except GraphError as error:
        if not any(text in str(error) for text in EXPECTED):
            raise
        return
    integers = result.network
    assert integers.graph.is_quantized
    found = integers.forward(images, layout="nchw")
    assert found.shape == expected.shape
    wanted = evaluate(integers.graph, images, np.float32)[integers.graph.outputs[0]]
    if not result.in_float:
        np.testing.assert_array_equal(found.reshape(len(found), -1), wanted.reshape(len(found), -1))
    else:
        # floats that become bytes may differ by a rounding, and the bytes by a step
        scale = max(float(np.abs(wanted).max()), 1e-3)
        assert np.abs(found.reshape(-1) - wanted.reshape(-1)).mean() <= 0.02 * scale


def test_attention_runs_in_float_between_layers_of_integers() -> None:
    rng = np.random.default_rng(0)
    # queries, keys and values of 16 pixels with 6 channels
    graph = net(
        *((name, ops.Conv2d(), "x", weight) for name, weight in (("q", "wq"), ("k", "wk"), ("v", "wv"))),
        *((f"{name}f", ops.Reshape((6, 16)), name) for name in "qkv"),
        ("qt", ops.Transpose((0, 2, 1)), "qf"),
        ("scores", ops.MatMul(), "qt", "kf"),
        ("weights", ops.Softmax(2), "scores"),
        ("vt", ops.Transpose((0, 2, 1)), "vf"),
        ("mixed", ops.MatMul(), "weights", "vt"),
        ("back", ops.Transpose((0, 2, 1)), "mixed"),
        ("image", ops.Reshape((6, 4, 4)), "back"),
        ("both", ops.Concat(), "image", "v"),
        ("out", ops.Conv2d(), "both", "wo"),
        ("act", ops.Relu(), "out"),
        ("mean", ops.GlobalAvgPool(keep_dims=False), "act"),
        ("fc", ops.Linear(), "mean", "w"),
        ("y", ops.Softmax(), "fc"),
        x=(3, 4, 4),
        **dict.fromkeys(("wq", "wk", "wv"), (6, 3, 1, 1)),
        wo=(5, 12, 1, 1),
        w=(3, 5),
    )
    images = rng.normal(size=(60, 3, 4, 4)).astype(np.float32)
    float_net = Network.from_graph(graph)
    result = cnnfast.quantize(float_net, images, layout="nchw", progress=False)
    assert {"scores", "weights", "mixed"} <= result.in_float.keys()
    assert {row.layer for row in result.sensitivities} == {"q", "k", "v", "out", "fc"}
    assert result.signal_to_noise > 20
    assert result.agreement > 0.9


def test_a_network_with_two_inputs_is_refused_before_calibration() -> None:
    with pytest.raises(CnnfastError, match="one input"):
        Network.from_graph(Graph({"a": (2,), "b": (2,)}, (Node("y", ops.Add(), ("a", "b")),), {}, ("y",)))
