"""Row streaming: expand, depthwise and project a few rows at a time, so that the values between them stay in the cache.

The blocks of MobileNets widen an image to many channels, filter each channel by itself, and narrow it again. The wide
values of a group of images are larger than the second-level cache; but a row of the depthwise result needs only a few
rows of its input. So the three convolutions alternate, strip by strip of rows: the wide rows are kept in a ring buffer,
and where even that would be too large, the channels are divided into blocks, and the sums of the last convolution
continue from one block to the next. Each sum adds the same products in the same order as without row streaming.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node
from cnnfast.graph.fusion import Epilogue, epilogue_of_fused
from cnnfast.ops import Conv2d, Fused, Shape
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.fused_layers import DENSE, PLAIN
from cnnfast.plan.pack import blocks
from cnnfast.runtime.dispatch import kernels

WIDE_BYTES = 1 << 19
"""A wide value of at least this size is computed by row streaming."""

RING_BYTES = (1 << 19, 1 << 20)
"""What the rows in the cache may take: as much as the second-level cache of a core, within these bounds."""

POSITIONS = 32
"""How many pixels a strip has at least, so that the tables are worth reading."""


@frozen
class StreamedConv:
    """One convolution of a chain: its node, its op, and its epilogue."""

    node: Node
    op: Conv2d
    epilogue: Epilogue


@frozen
class StreamedChain:
    """A depthwise convolution with the 1x1 convolutions before it, if there is one, and behind it."""

    expand: StreamedConv | None
    depthwise: StreamedConv
    project: StreamedConv

    @property
    def inner(self) -> tuple[str, ...]:
        """The nodes whose values never exist as a whole."""
        before = (self.expand.node.name,) if self.expand else ()
        return (*before, self.depthwise.node.name)


def find_chains(lowering: ChwnLowering) -> dict[str, StreamedChain]:
    """Return the chains of a graph whose wide values are large, by the name of their last node."""
    graph = lowering.graph
    chains = {}
    for node in graph.nodes:
        depthwise = _layer(lowering, node)
        if depthwise is None or not _is_depthwise(depthwise, graph) or depthwise.epilogue.residual:
            continue
        project = _only_reader(lowering, node)
        if project is None:
            continue
        expand = _only_source(lowering, node)
        if expand and expand.node.name in chains:
            # the last convolution of one chain is not the first of the next one
            expand = None
        if lowering.bytes(node.inputs[0] if expand else node.name) >= WIDE_BYTES:
            chains[project.node.name] = StreamedChain(expand, depthwise, project)
    return chains


def _layer(lowering: ChwnLowering, node: Node) -> StreamedConv | None:
    """Return a node as a convolution whose tail is part of its own step, or None."""
    op, graph = node.op, lowering.graph
    if isinstance(op, Conv2d):
        return StreamedConv(node, op, PLAIN)
    if not isinstance(op, Fused) or not isinstance(op.base, Conv2d):
        return None
    epilogue = epilogue_of_fused(op, node.inputs, lowering.shapes, graph.constants, DENSE)
    whole = epilogue.ops == op.tail and node.inputs[0] not in graph.constants
    return StreamedConv(node, op.base, epilogue) if whole else None


def _is_depthwise(layer: StreamedConv, graph: Graph) -> bool:
    oc, c, _, _ = graph.shapes[layer.node.inputs[1]]
    return layer.op.groups == oc > 1 and c == 1 and layer.op.dilation == (1, 1)


def _is_pointwise(layer: StreamedConv | None, graph: Graph) -> bool:
    if layer is None or layer.node.inputs[0] in graph.constants:
        return False
    op, kernel = layer.op, graph.shapes[layer.node.inputs[1]][2:]
    plain = op.groups == 1 and op.stride == (1, 1) and not any(op.padding)
    return plain and kernel == (1, 1) and graph.shapes[layer.node.name][1:] != (1, 1)


def _only_reader(lowering: ChwnLowering, node: Node) -> StreamedConv | None:
    """Return the 1x1 convolution that is the only reader of a value, or None."""
    graph = lowering.graph
    reader = graph.only_readers.get(node.name)
    if reader is None or reader.inputs[0] != node.name:
        return None
    layer = _layer(lowering, reader)
    return layer if _is_pointwise(layer, graph) else None


def _only_source(lowering: ChwnLowering, node: Node) -> StreamedConv | None:
    """Return the 1x1 convolution whose only reader is a node, or None."""
    graph = lowering.graph
    source = graph.by_name.get(node.inputs[0])
    if source is None or source.name not in graph.only_readers:
        return None
    layer = _layer(lowering, source)
    return layer if _is_pointwise(layer, graph) and layer and not layer.epilogue.residual else None


@dataclass(eq=False, repr=False)
class Strips:
    """How a chain is divided: rows of a strip, rows of the ring buffer, blocks of channels."""

    rows: int
    ring: int
    channels: list[slice]


def strips_of(channels: int, width: int, output: Shape, op: Conv2d, kernel: int, lanes: int) -> Strips:
    """Return a division for which the rows of a strip and of the ring buffer stay in the cache."""
    _, oh, ow = output
    rows = min(oh, -(-POSITIONS // ow))
    ring = (rows - 1) * op.stride[0] + kernel
    vectors = (ring + 1) * width + rows * ow
    least, most = RING_BYTES
    size = min(max(kernels.near_cache(), least), most)
    max_channels = max(kernels.tile_channels()[0], size // (vectors * lanes * 4))
    return Strips(rows, ring, blocks(channels, max_channels))
