"""A first layer that whitens."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.errors import GraphError
from cnnfast.images.preprocess import Preprocess
from cnnfast.layers import Conv2d, Flatten, Layer, Linear
from cnnfast.network.network import Network
from cnnfast.train import whitened


def pictures(images: int = 40) -> np.ndarray:
    """Return smooth random pictures, whose neighboring pixels are alike, as those of photographs are."""
    rough = np.random.default_rng(0).integers(0, 128, (images, 9, 9, 3))
    return (rough[:, 1:, 1:] + rough[:, :-1, :-1]).astype(np.uint8)


def test_whitened_responses_are_uncorrelated_and_of_variance_one() -> None:
    images = pictures()
    preprocess = Preprocess(size=(8, 8), mean=(0.5, 0.4, 0.5), std=(0.2, 0.2, 0.3))
    net = Network.from_layers([Conv2d(np.zeros((24, 3, 2, 2)), name="first")], (3, 8, 8), preprocess=preprocess)
    found, name = whitened(net, images, eps=0.0)
    assert name == "first"
    responses = found.forward(images, layout="nhwc").transpose(1, 0, 2, 3).reshape(24, -1).astype(np.float64)
    np.testing.assert_array_equal(
        found.graph.constants["first.weight"][12:], -found.graph.constants["first.weight"][:12]
    )
    np.testing.assert_allclose(responses[:12] @ responses[:12].T / responses.shape[1], np.eye(12), atol=1e-3)


def test_whitening_keeps_what_varies_most() -> None:
    """Fewer filters than components: the first ones see most of the variance; more: the rest stays."""
    images = pictures()
    few = Network.from_layers([Conv2d(np.zeros((2, 3, 2, 2)))], (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    many = Network.from_layers([Conv2d(np.ones((26, 3, 2, 2)))], (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    chosen, all_of_them = (whitened(net, images)[0].graph.constants["conv2d_1.weight"] for net in (few, many))
    np.testing.assert_array_equal(chosen[0], all_of_them[0])
    assert (all_of_them[24:] == 1).all()


@pytest.mark.parametrize("layer", [Linear(np.zeros((2, 192))), Conv2d(np.zeros((3, 3, 2, 2)))])
def test_nothing_to_whiten(layer: Layer) -> None:
    layers = [Flatten(), layer] if layer.op.name == "linear" else [layer]
    net = Network.from_layers(layers, (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    with pytest.raises(GraphError, match="an even number of filters without groups"):
        whitened(net, pictures())
