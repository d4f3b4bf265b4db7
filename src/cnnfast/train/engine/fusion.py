"""What the layers of a training step fuse: an activation, or for batch-norm a residual add and a ReLU."""

from __future__ import annotations

from cnnfast.graph import Node
from cnnfast.graph.fusion import Capabilities, Epilogue, ResidualKind, epilogue_of
from cnnfast.ops import BatchNorm, Conv2d, Linear, Relu, Sigmoid, Tanh
from cnnfast.train.engine.base import Engine

BY_RESULT = (Relu, Sigmoid, Tanh)
"""Activations whose derivative follows from their result; the others need their input."""

LAYER = Capabilities(activations=BY_RESULT)
"""What a convolution or a dense layer fuses: on the way back its result must tell the derivative."""

NORM = Capabilities(ResidualKind.EARLIER, (Relu,))
"""What a batch-norm with the statistics of the batch fuses; it is emitted where the batch-norm is."""


def epilogues(engine: Engine) -> dict[str, Epilogue]:
    """Return the epilogue of each layer that has one, by the layer's name."""
    found = {node.name: epilogue_of(engine.graph, node, _capabilities(engine, node)) for node in engine.graph.nodes}
    return {name: epilogue for name, epilogue in found.items() if epilogue.nodes}


def _capabilities(engine: Engine, node: Node) -> Capabilities:
    if isinstance(node.op, Conv2d | Linear):
        return LAYER
    if isinstance(node.op, BatchNorm) and engine.trains_statistics(node.name):
        return NORM
    return Capabilities()
