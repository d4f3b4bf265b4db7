"""The families of image classifiers, read from modules: they say what PyTorch states."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from formats.torch.zoo import ZOO, trained  # noqa: E402

from cnnfast import from_torch  # noqa: E402
from cnnfast.ops import Transpose  # noqa: E402

OF_SCALE = 1e-4
"""How far outputs may be apart, as a part of the largest."""


def assert_alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Check outputs, and the largest of each image; that there is something to tell apart, too."""
    assert np.abs(ours - theirs).max() <= OF_SCALE * np.abs(theirs).max()
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()
    assert theirs.std(axis=0).max() > 100 * OF_SCALE * np.abs(theirs).max()


@pytest.mark.parametrize("name", ZOO)
def test_a_family(name: str) -> None:
    module = trained(name)
    images = np.random.default_rng(0).standard_normal((16, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        theirs = module(torch.from_numpy(images)).numpy()
    assert_alike(from_torch(module, (3, 32, 32)).forward(images, layout="nchw"), theirs)


def test_channels_last_inside_costs_nothing() -> None:
    """ConvNeXt permutes before and after each block; nothing of it is left."""
    graph = from_torch(trained("convnext"), (3, 32, 32)).graph
    assert not [node for node in graph.nodes if isinstance(node.op, Transpose)]


def test_names_are_those_of_the_module() -> None:
    graph = from_torch(trained("convnext"), (3, 32, 32)).graph
    assert {"stem.0", "first.depthwise", "first.norm", "second.wide", "fc"} <= set(graph.by_name)
    assert {"first.depthwise.weight", "fc.bias"} <= set(graph.constants)
