"""Row streaming: expand, depthwise and project a few rows at a time, so that the values between them stay in the cache.

The blocks of MobileNets widen an image to many channels, filter each channel by itself, and narrow it again. The wide
values of a group of images are larger than the second-level cache; but a row of the depthwise result needs only a few
rows of its input. So the three convolutions alternate, strip by strip of rows: the wide rows are kept in a ring buffer,
and where even that would be too large, the channels are divided into blocks, and the sums of the last convolution
continue from one block to the next. Each sum adds the same products in the same order as without row streaming.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node
from cnnfast.graph.fusion import Epilogue, epilogue_of_fused
from cnnfast.ops import Array, Conv2d, Fused, Shape
from cnnfast.plan.chwn.algorithms import emit_direct
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.fused_layers import DENSE, PLAIN, reason
from cnnfast.plan.lowering import NodeIO
from cnnfast.plan.offsets import conv_halo, filled, table
from cnnfast.plan.pack import blocks, pack_blocks
from cnnfast.runtime.dispatch import kernels

WIDE_BYTES = 1 << 19
"""A wide value of at least this size is computed by row streaming."""

RING_BYTES = 1 << 19
"""What the rows in the cache may take: half of the second-level cache of the machines at hand."""

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


@dataclass
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
    max_channels = max(kernels.tile_channels()[0], RING_BYTES // (vectors * lanes * 4))
    return Strips(rows, ring, blocks(channels, max_channels))


def lower_chain(lowering: ChwnLowering, chain: StreamedChain) -> None:
    """Emit the steps of a chain."""
    _ChainLowering(lowering, chain).emit()


class _ChainLowering:
    """The offsets of a chain's values, and its steps."""

    def __init__(self, lowering: ChwnLowering, chain: StreamedChain) -> None:
        self.lowering, self.chain = lowering, chain
        shapes = lowering.shapes
        node = chain.depthwise.node
        self.source, self.output = shapes[node.inputs[0]], shapes[node.name]
        self.weight = shapes[node.inputs[1]]
        op = chain.depthwise.op
        self.halo = conv_halo(op, self.source, self.weight, self.output, "direct")
        width = self.halo[1] + self.source[2] + self.halo[3]
        self.strips = strips_of(self.source[0], width, self.output, op, self.weight[2], kernels.lanes())
        channels = max(block.stop - block.start for block in self.strips.channels)
        self.narrow = f"{node.name}:rows"
        shapes[self.narrow] = (channels, self.strips.rows, self.output[2])
        self.wide = node.inputs[0]
        if chain.expand:
            self.wide = f"{chain.expand.node.name}:rows"
            shapes[self.wide] = (channels, self.strips.ring, self.source[2])
            # the row above the ring is the zeros above and below the image
            lowering.halos[self.wide] = (1, self.halo[1], 0, self.halo[3])

    def emit(self) -> None:
        """Emit the steps, block by block, strip by strip."""
        if self.chain.expand:
            self.lowering.clear_halo(self.chain.expand.node.name, self.wide)
        for block in self.strips.channels:
            weights = _Weights(self.lowering, self.chain, block)
            known = 0
            for first in range(0, self.output[1], self.strips.rows):
                rows = range(first, min(first + self.strips.rows, self.output[1]))
                if self.chain.expand:
                    needed = self._last_row(rows[-1]) + 1
                    if needed > known:
                        self._expand(weights, range(known, needed))
                    known = max(known, needed)
                for row in rows:
                    self._depthwise(weights, block, row, row - first)
                self._project(weights, block, rows)

    def _last_row(self, row: int) -> int:
        """Return the last row of the wide value that a row of the depthwise result needs."""
        op = self.chain.depthwise.op
        return min(row * op.stride[0] - op.padding[0] + self.weight[2], self.source[1]) - 1

    def _slot(self, row: int) -> int:
        """Return the row of the ring that holds a row of the wide value; row -1 holds the zeros around the image."""
        if not self.chain.expand:
            return row
        return row % self.strips.ring if 0 <= row < self.source[1] else -1

    def _expand(self, weights: _Weights, rows: range) -> None:
        assert self.chain.expand is not None
        layer = self.chain.expand
        x, y = self.lowering.strides(layer.node.inputs[0]), self.lowering.strides(self.wide)
        columns = np.arange(self.source[2])
        slots = np.array([self._slot(row) for row in rows])
        emit_direct(
            self.lowering,
            NodeIO(layer.node.name, (), self.wide),
            layer.node.inputs[:1],
            weights.ints(weights.expand[2], x_group=0, y_c=y[0]),
            weights.expand[:2],
            (
                table(np.arange(weights.expand[2]) * x[0]),
                _grid(np.array(rows), x[1], columns),
                _grid(slots, y[1], columns),
                None,
            ),
            layer.epilogue,
            reason("row by row, before the depthwise convolution", layer.epilogue),
        )

    def _depthwise(self, weights: _Weights, block: slice, row: int, target: int) -> None:
        layer, lowering = self.chain.depthwise, self.lowering
        op, kh, kw = layer.op, *self.weight[2:]
        x, y = lowering.strides(self.wide), lowering.strides(self.narrow)
        top = row * op.stride[0] - op.padding[0]
        lines = np.array([self._slot(top + p) for p in range(kh)])
        start = 0 if self.chain.expand else block.start * x[0]
        taps = start + lines[:, None] * x[1] + np.arange(kw)
        columns = np.arange(self.output[2])
        emit_direct(
            lowering,
            NodeIO(layer.node.name, (), self.narrow),
            (self.wide,),
            weights.ints(kh * kw, groups=block.stop - block.start, OC=1, x_group=x[0], y_c=y[0]),
            weights.depthwise,
            (
                table(taps),
                table(filled(columns * op.stride[1] - op.padding[1])),
                table(filled(target * y[1] + columns)),
                None,
            ),
            layer.epilogue,
            reason("row by row", layer.epilogue),
        )

    def _project(self, weights: _Weights, block: slice, rows: range) -> None:
        layer, lowering = self.chain.project, self.lowering
        result = layer.node.name
        x, y = lowering.strides(self.narrow), lowering.strides(result)
        last = block.stop == self.source[0]
        epilogue = layer.epilogue if last else PLAIN
        columns, own = np.arange(self.output[2]), np.array(rows)
        reads: tuple[str, ...] = (self.narrow,)
        r_offsets, r_c = None, 0
        if epilogue.residual:
            r = lowering.strides(epilogue.residual)
            reads, r_offsets, r_c = (self.narrow, epilogue.residual), _grid(own, r[1], columns), r[0]
        channels = block.stop - block.start
        emit_direct(
            lowering,
            NodeIO(layer.node.name, (), result),
            reads,
            weights.ints(channels, OC=lowering.shapes[result][0], x_group=0, y_c=y[0], r_c=r_c),
            weights.project,
            (
                table(np.arange(channels) * x[0]),
                _grid(own - rows[0], x[1], columns),
                _grid(own, y[1], columns),
                r_offsets,
            ),
            epilogue,
            reason(f"row by row, {len(self.strips.channels)} blocks of channels", layer.epilogue),
            resume=block.start > 0,
        )


class _Weights:
    """The weights of a chain for one block of its channels."""

    def __init__(self, lowering: ChwnLowering, chain: StreamedChain, block: slice) -> None:
        tile = kernels.tile_channels()[0]
        self.channels = block.stop - block.start
        if chain.expand:
            weight, bias = _arrays(lowering, chain.expand)
            self.expand = (pack_blocks(weight[block], 1, tile), bias[block].copy(), weight.shape[1])
        weight, bias = _arrays(lowering, chain.depthwise)
        self.depthwise = (pack_blocks(weight[block], self.channels, tile), bias[block].copy())
        weight, bias = _arrays(lowering, chain.project)
        self.project = (pack_blocks(weight[:, block], 1, tile), bias)

    def ints(self, products: int, **given: int) -> dict[str, int]:
        """Return the geometry of one of the three convolutions; a strip is a single block of positions."""
        return dict(groups=1, K=products, OC=self.channels, r_c=0, block=1 << 30) | given


def _arrays(lowering: ChwnLowering, layer: StreamedConv) -> tuple[Array, Array]:
    """Return the weights of a layer as (OC, K), and its bias."""
    inputs, base = layer.node.inputs, layer.node.op
    weight = lowering.float32(inputs[1])
    own = base.base_inputs if isinstance(base, Fused) else len(inputs)
    return weight.reshape(len(weight), -1), lowering.bias(NodeIO("", inputs, ""), own, len(weight))


def _grid(rows: Array, row: int, columns: Array) -> Array:
    """Return the offsets of whole rows, row by row, filled up to whole tiles."""
    return table(filled((rows[:, None] * row + columns).reshape(-1)))
