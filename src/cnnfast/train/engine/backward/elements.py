"""Backwards through functions of one element, softmax and local response normalization."""

from __future__ import annotations

from cnnfast.graph import Node
from cnnfast.ops import Activation, Dropout, LogSoftmax, Lrn, PRelu, Softmax
from cnnfast.plan.chwn.values import activation_options
from cnnfast.plan.lowering import NodeIO, numbered, three_axes
from cnnfast.train.engine.backward.rules import parts_of, rule
from cnnfast.train.engine.fusion import BY_RESULT
from cnnfast.train.engine.lowering import TrainingLowering, grad


@rule(Activation)
def _activation(low: TrainingLowering, op: Activation, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    if is_masked(low, node):
        low.started.add(x)
        return
    act, floats = activation_options(op)
    known = low.for_backward(node.name if isinstance(op, BY_RESULT) else x)

    def emit(target: str, add: bool) -> None:
        ints = low.rows_of(target, known, dy, target) | dict(act=act)
        low.emit(NodeIO(node.name, (known, dy), target), "activate_back", (known, dy), ints=ints, floats=floats)

    low.contribute(node, x, emit)


def is_masked(low: TrainingLowering, node: Node) -> bool:
    """Return whether a ReLU directly follows a batch-norm that trains, whose own backward step begins with it."""
    epilogue = low.epilogues.get(node.inputs[0])
    return epilogue is not None and node.inputs[0] in low.buffers and epilogue.nodes == (node,)


@rule(PRelu)
def _prelu(low: TrainingLowering, op: PRelu, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    slope = node.inputs[1]
    shared = low.shapes[slope] == (1,)

    def emit(target: str, add: bool) -> None:
        ints = low.window(x, x, dy, target) | dict(slope_c=0 if shared else 1)
        if low.is_active(slope):
            low.partial(slope)
            low.second_results[len(low.steps)] = grad(slope)
        low.emit(
            NodeIO(node.name, (x, dy), target),
            "leaky_back",
            (x, dy),
            ints=ints,
            parameters=(low.per_channel(slope, ints["C"]),),
            workspace=ints["C"],
        )

    if low.is_active(x):
        low.contribute(node, x, emit)
    else:
        low.shapes[spare := f"{grad(x)}:spare"] = low.shapes[x]
        emit(spare, False)


@rule(Dropout)
def _dropout(low: TrainingLowering, op: Dropout, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    low.contribute(node, x, lambda target, add: low.drop(node, dy, target))


@rule(Softmax, LogSoftmax)
def _softmax(low: TrainingLowering, op: Softmax | LogSoftmax, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    shape = low.shapes[x]
    axis = op.axis - 1 + 3 - len(shape)
    first, second = (i for i in range(3) if i != axis)
    whole = three_axes(shape)

    def emit(target: str, add: bool) -> None:
        values = dict(a=node.name, b=dy, y=target)
        order = {k: tuple(low.strides(v)[i] for i in (first, second, axis)) for k, v in values.items()}
        ints = dict(A=whole[first], B=whole[second], K=whole[axis]) | numbered(**order)  # type: ignore[arg-type]
        ints |= dict(log=int(isinstance(op, LogSoftmax)))
        low.emit(NodeIO(node.name, (node.name, dy), target), "softmax_back", (node.name, dy), ints=ints)

    low.contribute(node, x, emit)


@rule(Lrn)
def _lrn(low: TrainingLowering, op: Lrn, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    c, _, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        ints = low.window(x, x, dy, target) | dict(size=op.size)
        floats = dict(alpha=op.alpha, beta=op.beta, bias=op.bias)
        low.emit(NodeIO(node.name, (x, dy), target), "lrn_back", (x, dy), ints=ints, floats=floats, workspace=c * w)

    low.contribute(node, x, emit)
