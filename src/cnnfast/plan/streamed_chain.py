"""The steps of a chain that is computed by row streaming."""

from __future__ import annotations

import numpy as np

from cnnfast.ops import Array, Fused
from cnnfast.plan.chwn.algorithms import emit_direct
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.fused_layers import PLAIN, reason
from cnnfast.plan.lowering import NodeIO
from cnnfast.plan.offsets import TILE, conv_halo, filled, table
from cnnfast.plan.pack import pack_blocks
from cnnfast.plan.row_streaming import StreamedChain, StreamedConv, strips_of
from cnnfast.runtime.dispatch import kernels


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
                self._depthwise(weights, block, rows)
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

    def _depthwise(self, weights: _Weights, block: slice, rows: range) -> None:
        layer, lowering = self.chain.depthwise, self.lowering
        op, kh, kw = layer.op, *self.weight[2:]
        x, y = lowering.strides(self.wide), lowering.strides(self.narrow)
        tops = [row * op.stride[0] - op.padding[0] for row in rows]
        # each row has its taps, because the ring starts over somewhere
        lines = np.array([[self._slot(top + p) for p in range(kh)] for top in tops])
        start = 0 if self.chain.expand else block.start * x[0]
        taps = start + lines[:, :, None] * x[1] + np.arange(kw)
        columns = _in_fours(self.output[2])
        targets = np.arange(len(rows))
        emit_direct(
            lowering,
            NodeIO(layer.node.name, (), self.narrow),
            (self.wide,),
            weights.ints(kh * kw, groups=block.stop - block.start, OC=1, x_group=x[0], y_c=y[0]),
            weights.depthwise,
            (
                table(taps.reshape(-1)),
                table(np.tile(columns * op.stride[1] - op.padding[1], len(rows))),
                table((targets[:, None] * y[1] + columns).reshape(-1)),
                None,
            ),
            layer.epilogue,
            reason("row by row", layer.epilogue),
            tap_sets=len(rows),
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


def _in_fours(count: int) -> Array:
    """Return the numbers below ``count`` in fours of neighbors: the last four may overlap those before."""
    starts = np.minimum(np.arange(0, count, TILE), max(count - TILE, 0))
    return np.minimum(starts[:, None] + np.arange(TILE), count - 1).reshape(-1)


def _grid(rows: Array, row: int, columns: Array) -> Array:
    """Return the offsets of whole rows, row by row, filled up to whole tiles."""
    return table(filled((rows[:, None] * row + columns).reshape(-1)))
