"""Which axis of the images counts the channels: no ONNX file states so, but what a file does to its images shows it.

The images are followed through every operator that leaves their axes in place, until one tells: a convolution or a pool
takes N, C, H, W, and a transpose that brings the last axis to the front had N, H, W, C before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from cnnfast.formats.onnx.proto import array_of

CHANNELS_FIRST = frozenset(
    [
        *("Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "DepthToSpace", "SpaceToDepth"),
        *("AveragePool", "MaxPool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"),
        *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
    ]
)
"""Operators that take their channels at axis 1."""

IN_PLACE = frozenset(
    [
        *("Identity", "Cast", "CastLike", "Dropout", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Mean", "Sum", "Where", "Not", "And", "Or", "Xor"),
        *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"),
        *("Abs", "Ceil", "Clip", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Round", "Sign", "Sqrt"),
        *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Shrink"),
        *("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Swish"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Softmax", "LogSoftmax"),
        *("Pad", "Slice", "Split", "Concat", "Tile", "Resize", "Upsample", "ReverseSequence", "LayerNormalization"),
    ]
)
"""Operators whose results have the axes of the images where the images have them."""

MAX_SIZES = 8
"""A constant with more elements is not a shape of an image."""


def layout_of(graph: GraphProto, name: str, sizes: Sequence[int | str]) -> str | None:
    """Return the layout of the input ``name``, which has the axes ``sizes``, or None where nothing tells it.

    Branches that contradict each other tell nothing.
    """
    if len(sizes) != 4:
        return None
    told = set(_Following(graph, sizes).from_(name))
    return told.pop() if len(told) == 1 else None


class _Following:
    """The names of the file under which its images go."""

    def __init__(self, graph: GraphProto, sizes: Sequence[int | str]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.names: set[str] = set()
        self.ranks: dict[str, int] = {}
        self.targets: dict[str, list[int]] = {}

    def from_(self, name: str) -> Iterator[str]:
        """Yield the layout that each operator tells at which the following ends."""
        self.names.add(name)
        yield from self._through(self.graph)

    def _through(self, graph: GraphProto) -> Iterator[str]:
        for tensor in graph.initializer:
            self._note(tensor.name, tensor)
        for node in graph.node:
            if node.op_type == "Constant":
                self._note_node(node)
            elif node.op_type == "If":
                yield from self._through_branches(node)
            elif any(name in self.names for name in node.input):
                yield from self._past(node)

    def _through_branches(self, node: NodeProto) -> Iterator[str]:
        for branch in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
            yield from self._through(branch)
            pairs = zip(branch.output, node.output, strict=False)
            self.names.update(outer for inner, outer in pairs if inner.name in self.names)

    def _past(self, node: NodeProto) -> Iterator[str]:
        """Follow the images past a node, or yield what it tells."""
        if node.op_type in CHANNELS_FIRST:
            yield "nchw"
        elif node.op_type == "Transpose":
            yield from self._told_by_transpose(node)
        elif node.op_type == "Reshape":
            yield from self._told_by_reshape(node)
        elif node.op_type in IN_PLACE or (node.op_type == "Gather" and self._takes_a_row(node)):
            self.names.update(node.output)

    def _takes_a_row(self, node: NodeProto) -> bool:
        return len(node.input) > 1 and self.ranks.get(node.input[1]) == 1

    def _told_by_transpose(self, node: NodeProto) -> Iterator[str]:
        orders = [tuple(a.ints) for a in node.attribute if a.name == "perm"]
        if orders == [(0, 3, 1, 2)]:
            yield "nhwc"
        elif orders == [(0, 2, 3, 1)]:
            yield "nchw"

    def _told_by_reshape(self, node: NodeProto) -> Iterator[str]:
        """A single channel needs no transpose: N, H, W, 1 is reshaped to N, 1, H, W."""
        target = self.targets.get(node.input[1], []) if len(node.input) > 1 else []
        height, width, last = self.sizes[1:]
        if len(target) == 4 and target[1] == last == 1 and height != 1:
            fits = all(isinstance(size, str) or size == t for size, t in zip((height, width), target[2:], strict=True))
            yield from ["nhwc"] if fits else []

    def _note_node(self, node: NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name == "value":
                self._note(node.output[0], attribute.t)
            elif attribute.name == "value_ints":
                self.ranks[node.output[0]], self.targets[node.output[0]] = 1, list(attribute.ints)

    def _note(self, name: str, tensor: TensorProto) -> None:
        """Keep how many axes a constant has, and its elements where it may be a shape."""
        self.ranks[name] = len(tensor.dims)
        is_here = tensor.data_type == TensorProto.INT64 and tensor.data_location != TensorProto.EXTERNAL
        if is_here and len(tensor.dims) == 1 and 0 < tensor.dims[0] <= MAX_SIZES:
            self.targets[name] = [int(size) for size in array_of(tensor, None)]
