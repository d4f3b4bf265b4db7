"""Convolutions and dense layers, and the add, activation and max-pool behind them, whatever the lanes hold."""

from __future__ import annotations

from cnnfast._frozen import frozen
from cnnfast.ops import Activation, Add, Array, Conv2d, Fused, Linear, MaxPool, Op, PRelu, Shape
from cnnfast.plan import choose
from cnnfast.plan.chwn.values import LanesLowering, activation_options, rule
from cnnfast.plan.lowering import NodeIO


@frozen
class Epilogue:
    """What a layer does with its sums before it stores them, in this order."""

    residual: str | None = None
    activation: Activation | None = None
    pool: bool = False

    def reason(self, why: str) -> str:
        """Return why a kernel was chosen, with what is fused into it."""
        fused = [
            "add" if self.residual else "",
            self.activation.name if self.activation else "",
            "max_pool" if self.pool else "",
        ]
        return ", ".join([why, *(f"{name} fused" for name in fused if name)])


PLAIN = Epilogue()


@frozen
class Sums:
    """A layer as every kernel needs to know it: shapes of one image, what it reads, and its epilogue."""

    op: Conv2d
    weight: Shape
    output: Shape
    reads: tuple[str, ...]
    bias: Array
    epilogue: Epilogue
    why: str

    @property
    def act(self) -> int:
        """The number of the activation."""
        return activation_options(self.epilogue.activation)[0]

    @property
    def floats(self) -> dict[str, float]:
        """The attributes of the activation."""
        return activation_options(self.epilogue.activation)[1]


@rule(Fused)
def _fused(lowering: LanesLowering, op: Fused, site: NodeIO) -> None:
    """Emit the base with as much of the tail as its kernel takes, then the rest of the tail."""
    inputs, extras = site.inputs[: op.base_inputs], site.inputs[op.base_inputs :]
    epilogue, taken, shape = ending_of(lowering, op, inputs, extras)
    tail, extras = op.tail[taken:], extras[1 if epilogue.residual else 0 :]
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


def ending_of(
    lowering: LanesLowering, op: Fused, inputs: tuple[str, ...], extras: tuple[str, ...]
) -> tuple[Epilogue, int, Shape]:
    """Return what of a tail is part of the layer's own step, how many ops that is, and the shape of the result."""
    shape = op.base.shape(*(lowering.shapes[v] for v in inputs))
    if not isinstance(op.base, Conv2d | Linear):
        return PLAIN, 0, shape
    rest = list(op.tail)
    residual: str | None = None
    activation: Activation | None = None
    pool = False
    if rest and isinstance(rest[0], Add) and _is_residual(lowering, extras[0], shape):
        residual = extras[0]
        del rest[0]
    if rest and isinstance(rest[0], Activation) and not isinstance(rest[0], PRelu):
        activation = rest[0]
        del rest[0]
    if rest and not residual and _poolable(lowering, op.base, rest[0], inputs, shape):
        pool, shape = True, rest.pop(0).shape(shape)
    return Epilogue(residual, activation, pool), len(op.tail) - len(rest), shape


def _is_residual(lowering: LanesLowering, value: str, shape: Shape) -> bool:
    """Tell whether a kernel can add a value: it is computed, and of the shape of the result."""
    return value not in lowering.graph.constants and lowering.shapes[value] == shape


def _poolable(lowering: LanesLowering, base: Op, pool: Op, inputs: tuple[str, ...], shape: Shape) -> bool:
    """Tell whether a pool can be part of the step of a convolution: 2x2 max-pool of whole windows."""
    if not isinstance(base, Conv2d) or not isinstance(pool, MaxPool):
        return False
    if choose.algorithm(base, lowering.shapes[inputs[1]], shape, lowering.algorithms)[0] == "dense":
        return False
    whole = MaxPool((2, 2))
    return pool == MaxPool((2, 2), ceil_mode=pool.ceil_mode) and pool.shape(shape) == whole.shape(shape)


@rule(Conv2d)
def _conv2d(lowering: LanesLowering, op: Conv2d, site: NodeIO, epilogue: Epilogue = PLAIN) -> None:
    source, weight = (lowering.shapes[v] for v in site.inputs[:2])
    output = op.shape(source, weight)
    how, why = choose.algorithm(op, weight, output, lowering.algorithms)
    sums = _sums(lowering, op, site, weight, output, epilogue, why)
    lowering.layers[how](lowering, sums, site)


@rule(Linear)
def _linear(lowering: LanesLowering, op: Linear, site: NodeIO, epilogue: Epilogue = PLAIN) -> None:
    weight = lowering.shapes[site.inputs[1]]
    sums = _sums(lowering, Conv2d(), site, weight, weight[:1], epilogue, "a matrix")
    lowering.layers["linear"](lowering, sums, site)


def _sums(
    lowering: LanesLowering, op: Conv2d, site: NodeIO, weight: Shape, output: Shape, epilogue: Epilogue, why: str
) -> Sums:
    reads = (site.inputs[0], epilogue.residual) if epilogue.residual else site.inputs[:1]
    bias = lowering.bias(site, len(site.inputs), output[0])
    return Sums(op, weight, output, reads, bias, epilogue, epilogue.reason(why))
