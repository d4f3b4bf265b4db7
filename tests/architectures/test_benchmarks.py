"""The networks of the benchmarks are those that users build by name: only their weights are scaled for timing."""

from __future__ import annotations

import pytest
from networks import BENCHES

from cnnfast import architectures

NAMES = {
    "n1": "cs61c",
    "n2": "lenet",
    "n3": "mlp",
    "n4": "vgg-small",
    "n6": "resnet18-cifar",
    "n7": "mobilenetv2-cifar",
    "n8": "resnet50",
    "n9": "mobilenetv2",
}
"""All but n5: its shortcuts are those of option B, the named one has option A."""


@pytest.mark.parametrize("id", NAMES)
def test_a_benchmark_is_the_architecture_of_its_name(id: str) -> None:
    timed, named = BENCHES[id].network().graph, architectures.build(NAMES[id])
    assert [node.op for node in timed.nodes] == [node.op for node in named.nodes if node.op.name != "dropout"]
    shapes = [[timed.shapes[v] for v in node.inputs] for node in timed.nodes]
    assert shapes == [[named.shapes[v] for v in node.inputs] for node in named.nodes if node.op.name != "dropout"]


def test_all_but_one_are_compared() -> None:
    assert set(BENCHES) - set(NAMES) == {"n5"}
