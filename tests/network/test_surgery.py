"""Features of a network, and a new head on them."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import GraphError, Network
from cnnfast.layers import (
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    Relu,
    Reshape,
    Sigmoid,
    Softmax,
)

RNG = np.random.default_rng(1)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def test_features_are_what_the_last_dense_layer_reads() -> None:
    net = Network.load("cifar10-resnet")
    assert net.features(IMAGES).shape == (3, 256)
    dense = [node for node in net.graph.nodes if node.op.name == "linear"][-1]
    weight, bias = (net.graph.constants[name] for name in dense.inputs[1:])
    np.testing.assert_allclose(
        net.features(IMAGES) @ weight.T + bias, net.truncate(dense.name).forward(IMAGES), atol=1e-4
    )


def test_features_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network.load("cifar10-cs61c")
    first = net.features(IMAGES)
    monkeypatch.setattr(Network, "truncate", None)
    np.testing.assert_array_equal(net.features(IMAGES), first)


def test_features_of_a_few_layers_are_kept() -> None:
    net = Network.load("cifar10-cs61c")
    layers = [node.name for node in net.graph.nodes][:7]
    for layer in layers:
        net.features(IMAGES, layer)
    assert list(net._bases) == layers[-4:]


def test_features_of_a_map_are_flat() -> None:
    net = Network.load("cifar10-cs61c")
    maps = net.truncate("max_pool_1").forward(IMAGES)
    np.testing.assert_array_equal(net.features(IMAGES, layer="max_pool_1"), maps.reshape(3, -1))


@pytest.mark.parametrize("layer", [None, "max_pool_2"])
def test_a_new_head_keeps_what_is_below(layer: str | None) -> None:
    net = Network.load("cifar10-cs61c")
    own = net.with_head(["cat", "dog", "cow"], layers=[12, Relu(), Dropout(0.5), 7, Relu()], layer=layer, seed=1)
    assert own.output_shape == (3,)
    assert own.classes_.tolist() == ["cat", "dog", "cow"]
    assert own.preprocess == net.preprocess
    kept = layer or "flatten_1"
    np.testing.assert_array_equal(own.truncate(kept).forward(IMAGES), net.truncate(kept).forward(IMAGES))
    sizes = [own.graph.constants[f"head.{i}.weight"].shape for i in (1, 4, 6)]
    assert sizes == [(12, 320 if layer is None else 20 * 8 * 8), (7, 12), (3, 7)]
    again = net.with_head(["cat", "dog", "cow"], layers=[12, Relu(), Dropout(0.5), 7, Relu()], layer=layer, seed=1)
    assert (own.forward(IMAGES) == again.forward(IMAGES)).all()


def test_a_head_of_layers_without_weights() -> None:
    head = [Conv2d(8, 3, padding="same"), Relu(), GlobalAvgPool(), Linear(6), BatchNorm(), 5]
    net = Network.load("cifar10-cs61c").with_head(["cat", "dog"], head, layer="max_pool_2", seed=3)
    shapes = {name: array.shape for name, array in net.graph.constants.items() if name.startswith("head.")}
    assert shapes["head.1.weight"] == (8, 20, 3, 3)
    assert [shapes[f"head.{i}.weight"] for i in (4, 6, 7)] == [(6, 8), (5, 6), (2, 5)]
    assert net.graph.constants["head.1.weight"].std() > 0
    again = Network.load("cifar10-cs61c").with_head(["cat", "dog"], head, layer="max_pool_2", seed=3)
    np.testing.assert_array_equal(net.forward(IMAGES), again.forward(IMAGES))


def test_a_head_flattens_the_map_that_a_dense_layer_meets() -> None:
    net = Network.load("cifar10-cs61c").with_head(["a", "b"], [4, Reshape((4, 1, 1)), 3])
    assert [node.name for node in net.graph.nodes][-5:] == ["head.1", "head.2", "head.3.flatten", "head.3", "head.4"]


def test_what_cannot_be_a_head() -> None:
    net = Network.load("cifar10-cs61c")
    with pytest.raises(GraphError, match=r"a head is a list of numbers of outputs and of layers .* but has 'relu'"):
        net.with_head(["a", "b"], layers=["relu"])  # type: ignore[list-item]
    with pytest.raises(GraphError, match="no value 'pool_9'"):
        net.with_head(["a", "b"], layer="pool_9")
    with pytest.raises(GraphError, match="no layer before a last dense one"):
        Network.from_layers([GlobalAvgPool()], (3, 4, 4)).features(IMAGES)


@pytest.mark.parametrize("end", [[], [Sigmoid()], [Softmax()]], ids=["scores", "sigmoid", "softmax"])
def test_mirrored_decides_by_the_mean_of_both_scores(end: list[Layer]) -> None:
    scores = [
        Conv2d(RNG.normal(size=(4, 3, 3, 3))),
        Relu(),
        GlobalAvgPool(),
        Flatten(),
        Linear(RNG.normal(size=(2, 4))),
    ]
    bare, net = (Network.from_layers([*scores, *last], (3, 8, 8), classes=["a", "b"]) for last in ([], end))
    images = RNG.normal(size=(5, 3, 8, 8)).astype(np.float32)
    views = (images, np.ascontiguousarray(images[..., ::-1]))
    mean = sum(bare.forward(view, layout="nchw").astype(np.float64) for view in views) / 2
    both = net.mirrored()
    wanted = end[0].op.reference(mean) if end else mean
    np.testing.assert_allclose(both.forward(images, layout="nchw"), wanted, atol=1e-6)
    assert both.predict(images, layout="nchw").tolist() == net.classes_[mean.argmax(axis=1)].tolist()


def test_only_images_have_mirror_images() -> None:
    with pytest.raises(GraphError, match="only a network of one image"):
        Network.from_layers([Linear(np.zeros((2, 3)))], (3,)).mirrored()
