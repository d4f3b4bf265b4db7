"""Random networks through the whole of `cnnfast.quantize`: what it returns is what its reference computes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds

import cnnfast
from cnnfast import Network
from cnnfast.errors import CnnfastError, GraphError
from cnnfast.graph import Graph, evaluate

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
        net = Network.from_graph(graph)
        expected = net.forward(images, layout="nchw")
    except CnnfastError:
        # nothing to compare with: not a classifier
        return
    try:
        result = cnnfast.quantize(net, images, layout="nchw", progress=False)
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
