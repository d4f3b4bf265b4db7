"""Architectures have the parameters that their papers and libraries state, and fresh weights are fresh."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import Network
from cnnfast.architectures import ARCHITECTURES, build, find
from cnnfast.errors import ConfigError, GraphError
from cnnfast.graph import Graph
from cnnfast.ops import BatchNorm

SMALL = [name for name, a in ARCHITECTURES.items() if a.input_shape[1] <= 32]

COUNTS = {
    "cs61c": 22_466,
    "lenet": 62_006,
    "mlp": 418_060,
    "resnet20-cifar": 269_722,
    "resnet56-cifar": 853_018,
    "resnet18-cifar": 11_173_962,
    "mobilenetv2-cifar": 2_296_922,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenetv2": 3_504_872,
}
"""Trained parameters, as stated by the sources that the descriptions name."""


def trained(graph: Graph) -> int:
    """Count what is trained: all but the running statistics of batch-norm."""
    return sum(graph.parameter_count(node) // (2 if isinstance(node.op, BatchNorm) else 1) for node in graph.nodes)


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_parameters(name: str) -> None:
    assert trained(build(name)) == COUNTS[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet34", 21_797_672), ("resnet101", 44_549_160), ("vgg11", 132_863_336), ("vgg16-bn", 138_365_992)],
)
def test_number_of_parameters_of_large_ones(name: str, count: int) -> None:
    assert trained(build(name)) == count


@pytest.mark.parametrize("name", SMALL)
def test_an_architecture_runs_on_its_shape_and_classes(name: str) -> None:
    architecture = ARCHITECTURES[name]
    graph = build(name, classes=3, seed=0)
    assert graph.inputs["input"] == architecture.input_shape
    scores = Network.from_graph(graph).forward(np.ones((2, *architecture.input_shape), np.float32), layout="nchw")
    assert scores.shape == (2, 3)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


def test_a_seed_decides_the_weights() -> None:
    first, again, other = (build("lenet", seed=seed).constants["conv2.weight"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert first.std() == pytest.approx(np.sqrt(2 / (6 * 25)), rel=0.05)
    assert not build("lenet").constants["conv2.weight"].any()


def test_other_shapes() -> None:
    assert build("lenet", (1, 28, 28)).shapes["fc1.weight"] == (120, 256)
    with pytest.raises(GraphError):
        build("lenet", (3, 8, 8))
    for shape in [(3, 32), (3, 0, 32), (3, 32.0, 32)]:
        with pytest.raises(ConfigError, match=r"must be \(C, H, W\)"):
            build("lenet", shape)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="number of classes"):
        build("lenet", classes=0)


def test_an_unknown_name_lists_all_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet18-cifar'") as caught:
        find("resnet18_cifar")
    assert all(name in str(caught.value) for name in ARCHITECTURES)
