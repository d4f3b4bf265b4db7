"""Convolutions and dense layers, and the add, activation and max-pool behind them, whatever the lanes hold."""

from __future__ import annotations

from cnnfast._frozen import frozen
from cnnfast.graph.fusion import Capabilities, Epilogue, Pooling, ResidualKind, epilogue_of_fused
from cnnfast.ops import Activation, Array, Conv2d, Fused, Linear, Shape
from cnnfast.plan import choose
from cnnfast.plan.chwn.values import ChwnLowering, activation_options, rule
from cnnfast.plan.lowering import NodeIO, Triple

DENSE = Capabilities(ResidualKind.EARLIER, (Activation,))
"""What the kernels of dense layers do before they store."""

CONVOLUTION = Capabilities(ResidualKind.EARLIER, (Activation,), pooling=Pooling.HALVING)
"""What the kernels of convolutions do before they store, but for those that are computed as dense layers."""

PLAIN = Epilogue()


def reason(why: str, epilogue: Epilogue) -> str:
    """Return why a kernel was chosen, with what is fused into it."""
    return ", ".join([why, *(f"{op.name} fused" for op in epilogue.ops)])


@frozen
class FusedLayer:
    """A layer as every kernel needs to know it: shapes of one image, what it reads, and its epilogue."""

    op: Conv2d
    weight: Shape
    output: Shape
    reads: tuple[str, ...]
    bias: Array
    epilogue: Epilogue
    why: str

    @property
    def pool(self) -> bool:
        """Whether a 2x2 max-pool follows."""
        return self.epilogue.pool is not None

    @property
    def act(self) -> int:
        """The number of the activation."""
        return activation_options(self.epilogue.activation)[0]

    @property
    def floats(self) -> dict[str, float]:
        """The attributes of the activation."""
        return activation_options(self.epilogue.activation)[1]


@rule(Fused)
def _fused(lowering: ChwnLowering, op: Fused, site: NodeIO) -> None:
    """Emit the base with as much of the tail as its kernel takes, then the rest of the tail."""
    inputs, extras = site.inputs[: op.base_inputs], site.inputs[op.base_inputs :]
    epilogue, shape = _epilogue(lowering, op, site.inputs)
    tail, extras = op.tail[len(epilogue.ops) :], extras[len(epilogue.reads) :]
    value = f"{site.result}:0" if tail else site.result
    lowering.shapes[value] = shape
    here = NodeIO(site.node, inputs, value)
    if isinstance(op.base, Conv2d):
        _conv2d(lowering, op.base, here, epilogue)
    elif isinstance(op.base, Linear):
        _linear(lowering, op.base, here, epilogue)
    else:
        lowering.rules.apply(lowering, op.base, here)
    for index, part in enumerate(tail, start=1):
        count = len(part.data) + len(part.parameters) - 1
        reads, extras = (value, *extras[:count]), extras[count:]
        value = site.result if index == len(tail) else f"{site.result}:{index}"
        lowering.shapes[value] = part.shape(*(lowering.shapes[v] for v in reads))
        lowering.rules.apply(lowering, part, NodeIO(site.node, reads, value))


def _epilogue(lowering: ChwnLowering, op: Fused, inputs: tuple[str, ...]) -> tuple[Epilogue, Shape]:
    """Return what of a tail is part of the layer's own step, and the shape of the result."""
    shape = op.base.shape(*(lowering.shapes[v] for v in inputs[: op.base_inputs]))
    match op.base:
        case Linear():
            can = DENSE
        case Conv2d():
            how, _ = choose.algorithm(op.base, lowering.shapes[inputs[1]], shape, lowering.algorithms)
            can = DENSE if how == "dense" else CONVOLUTION
        case _:
            return PLAIN, shape
    epilogue = epilogue_of_fused(op, inputs, lowering.shapes, lowering.graph.constants, can)
    return epilogue, epilogue.pool.shape(shape) if epilogue.pool else shape


@rule(Conv2d)
def _conv2d(lowering: ChwnLowering, op: Conv2d, site: NodeIO, epilogue: Epilogue = PLAIN) -> None:
    source, weight = (lowering.shapes[v] for v in site.inputs[:2])
    output = op.shape(source, weight)
    how, why = choose.algorithm(op, weight, output, lowering.algorithms)
    layer = _fused_layer(lowering, op, site, weight, output, epilogue, why)
    lowering.layers[how](lowering, layer, site)


@rule(Linear)
def _linear(lowering: ChwnLowering, op: Linear, site: NodeIO, epilogue: Epilogue = PLAIN) -> None:
    weight = lowering.shapes[site.inputs[1]]
    layer = _fused_layer(lowering, Conv2d(), site, weight, weight[:1], epilogue, "a matrix")
    lowering.layers["linear"](lowering, layer, site)


def residual_stride(lowering: ChwnLowering, layer: FusedLayer) -> int:
    """Return how far the channels of the residual are apart, 0 without one."""
    return lowering.channel_stride(layer.reads[1]) if len(layer.reads) > 1 else 0


def residual_strides(lowering: ChwnLowering, layer: FusedLayer) -> Triple:
    """Return the strides of the residual's axes, 0 without one."""
    return lowering.strides(layer.reads[1]) if len(layer.reads) > 1 else (0, 0, 0)


def _fused_layer(
    lowering: ChwnLowering, op: Conv2d, site: NodeIO, weight: Shape, output: Shape, epilogue: Epilogue, why: str
) -> FusedLayer:
    reads = (site.inputs[0], epilogue.residual) if epilogue.residual else site.inputs[:1]
    bias = lowering.bias(site, len(site.inputs), output[0])
    return FusedLayer(op, weight, output, reads, bias, epilogue, reason(why, epilogue))
