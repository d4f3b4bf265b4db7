"""What the integers of a quantized file stand for, by the names of the graph's values and layers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.litert.model import LiteRtTensor
from cnnfast.formats.litert.registry import OperatorCall
from cnnfast.graph import Graph, optimize
from cnnfast.graph.integers import FLOAT_PASSES, to_integers
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid

FIRST_BYTE = {"UINT8": 0, "INT8": -128}
"""The integer that our byte 0 is."""

WEIGHTS = ("INT8", "INT4")

FILTERS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""The axis of the weights that counts the outputs."""


@dataclass
class FoundIntegers:
    """The scales and zero points of a file.

    Attributes
    ----------
    grids : dict of str to Grid
        Of values.
    scales : dict of str to array
        Of the weights of layers, by the name of the layer.
    in_float : dict of str to str
        Layers that cannot become integers, and why.
    """

    grids: dict[str, Grid] = field(default_factory=dict)
    scales: dict[str, Array] = field(default_factory=dict)
    in_float: dict[str, str] = field(default_factory=dict)

    def computed_with(self, graph: Graph, input_is_own: bool) -> Graph:
        """Return the graph computed with the integers of the file, rounded where the file rounds.

        Parameters
        ----------
        graph : Graph
            Of floats.
        input_is_own : bool
            Whether the input of the graph is that of the file, and not what arithmetic at its start made of it.

        Raises
        ------
        UnsupportedError
            If no layer becomes one of integers.
        """
        grids = {v: grid for v, grid in self.grids.items() if input_is_own or v not in graph.inputs}
        made = to_integers(optimize(graph, FLOAT_PASSES), grids, self.in_float, self.scales, round_all=True)
        if not any(node.op.is_quantized for node in made.graph.nodes):
            why = "; ".join(f"{name}: {reason}" for name, reason in list(made.in_float.items())[:8])
            raise UnsupportedError(f"no layer computes with integers: {why}; load it without integers=True")
        return made.graph

    def note_value(self, value: Value | Array, tensor: LiteRtTensor) -> None:
        """Note what a tensor of bytes stands for; one that only changes its grid is of the first."""
        if not isinstance(value, Value) or tensor.dtype not in FIRST_BYTE or tensor.scales.size != 1:
            return
        scale, zero = (float(v[0]) for v in tensor.grid())
        try:
            self.grids.setdefault(value.name, Grid(scale, round(zero) - FIRST_BYTE[tensor.dtype]))
        except GraphError:
            # a scale that float32 does not hold; without a grid the value stays in float, and that says why
            return

    def note_weights(self, layer: Value | Array, call: OperatorCall) -> None:
        """Note the scales of the weights of a layer, or why it stays in float."""
        kind = call.operator.kind
        if kind not in FILTERS or not isinstance(layer, Value):
            return
        tensor, axis = call.tensor(1), FILTERS[kind]
        scales, zeros = tensor.grid()
        if tensor.dtype not in WEIGHTS or not tensor.is_quantized:
            self.in_float[layer.name] = f"its weights are {tensor.dtype} in the file"
        elif np.any(zeros != 0):
            self.in_float[layer.name] = f"its weights have the zero point {zeros[0]:g} in the file"
        elif scales.size > 1 and tensor.axis != axis:
            self.in_float[layer.name] = "its weights have a scale for each input channel"
        else:
            self.scales[layer.name] = np.broadcast_to(scales, (tensor.shape[axis],))
