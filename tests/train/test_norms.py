"""Batch-norm that is put in and taken out again."""

from __future__ import annotations

import numpy as np
import pytest
from train import bars

from cnnfast import Network, threads
from cnnfast.architectures import build
from cnnfast.train import AdamW, Recipe, fit, with_batch_norm, without_batch_norm


def trained(net: Network) -> Network:
    recipe = Recipe(epochs=3, batch=20, optimizer=AdamW(learning_rate=0.02))
    with threads(1):
        return fit(net, bars.pictures(120, 0), recipe).network


def test_folded_network_computes_the_same() -> None:
    plain = bars.network()
    normed = trained(Network.from_graph(with_batch_norm(plain.graph), preprocess=plain.preprocess))
    assert any(node.op.name == "batch_norm" for node in normed.graph.nodes)
    folded = Network.from_graph(without_batch_norm(normed.graph), preprocess=plain.preprocess)
    assert not any(node.op.name == "batch_norm" for node in folded.graph.nodes)
    assert [node.name for node in folded.graph.nodes][:-1] == [node.name for node in plain.graph.nodes]
    images, _ = bars.pictures(30, 1)
    np.testing.assert_allclose(folded.predict_proba(images), normed.predict_proba(images), atol=1e-5)


def test_own_batch_norm_stays() -> None:
    graph = bars.network(norm=True).graph
    assert with_batch_norm(graph).nodes == graph.nodes
    assert without_batch_norm(graph).nodes == graph.nodes


@pytest.mark.parametrize("name", ["cs61c", "lenet", "mlp", "vgg-small", "resnet18-cifar"])
def test_there_and_back(name: str) -> None:
    graph = build(name, seed=0)
    back = without_batch_norm(with_batch_norm(graph))
    assert {node.name for node in back.nodes} == set(graph.by_name)
    assert set(graph.constants) <= set(back.constants)
