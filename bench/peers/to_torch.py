"""A graph as a PyTorch module."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from networks import Bench
from torch import Tensor, nn

from cnnfast import ops
from cnnfast.graph import Node
from peers.graphs import exported_graph


class GraphModule(nn.Module):
    """Runs a network, node by node, from uint8 (N, H, W, C) to probabilities."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._graph = exported_graph(bench)
        self._weights = {name: torch.from_numpy(array.copy()) for name, array in self._graph.constants.items()}
        self._factor, self._shift = (torch.from_numpy(v).reshape(-1, 1, 1) for v in bench.preprocess.affine())

    def channels_last(self) -> GraphModule:
        """Store the filters as pictures are stored."""
        for name, weight in self._weights.items():
            if weight.ndim == 4:
                self._weights[name] = weight.to(memory_format=torch.channels_last)
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the probabilities; the layout of the pictures in memory is that of all activations."""
        (entry,), (output,) = self._graph.inputs, self._graph.outputs
        values = {entry: pictures.permute(0, 3, 1, 2).float() * self._factor + self._shift}
        for node in self._graph.nodes:
            operands = [values[v] if v in values else self._weights[v] for v in node.inputs]
            values[node.name] = apply(node, operands)
        return values[output]


def apply(node: Node, x: list[Tensor]) -> Tensor:
    """Return what PyTorch makes of a node."""
    match node.op:
        case ops.Conv2d(stride=stride, padding=(top, left, _, _), dilation=dilation, groups=groups):
            return F.conv2d(*x[:2], x[2] if len(x) > 2 else None, stride, (top, left), dilation, groups)
        case ops.MaxPool(kernel=kernel, stride=stride, padding=(top, left, _, _)):
            return F.max_pool2d(x[0], kernel, stride, (top, left))
        case ops.Softmax(axis=axis):
            return F.softmax(x[0], axis)
        case ops.Clip(low=low, high=high):
            return x[0].clamp(low, high)
        case op:
            return PLAIN[type(op)](*x)


PLAIN = {
    ops.Relu: torch.relu,
    ops.Sigmoid: torch.sigmoid,
    ops.Linear: F.linear,
    ops.Add: torch.add,
    ops.Flatten: lambda x: x.flatten(1),
    ops.GlobalAvgPool: lambda x: x.mean((2, 3), keepdim=True),
}
"""Ops without attributes."""
