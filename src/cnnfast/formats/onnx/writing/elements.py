"""Functions of one element, and of two."""

from __future__ import annotations

import math

from cnnfast import ops
from cnnfast.formats.onnx.writing.rules import writes
from cnnfast.formats.onnx.writing.target import WriteCall
from cnnfast.ops import Op

PLAIN: dict[type[Op], tuple[str, tuple[tuple[str, str], ...]]] = {
    ops.Relu: ("Relu", ()),
    ops.LeakyRelu: ("LeakyRelu", (("slope", "alpha"),)),
    ops.Elu: ("Elu", (("alpha", "alpha"),)),
    ops.Sigmoid: ("Sigmoid", ()),
    ops.Tanh: ("Tanh", ()),
    ops.HardSigmoid: ("HardSigmoid", (("alpha", "alpha"), ("beta", "beta"))),
    ops.HardSwish: ("HardSwish", ()),
    ops.Abs: ("Abs", ()),
    ops.Sqrt: ("Sqrt", ()),
    ops.Exp: ("Exp", ()),
    ops.Log: ("Log", ()),
    ops.Erf: ("Erf", ()),
    ops.Softplus: ("Softplus", ()),
    ops.Softsign: ("Softsign", ()),
    ops.ThresholdedRelu: ("ThresholdedRelu", (("alpha", "alpha"),)),
    ops.Sign: ("Sign", ()),
    ops.Round: ("Round", ()),
    ops.Identity: ("Identity", ()),
    ops.Softmax: ("Softmax", (("axis", "axis"),)),
    ops.LogSoftmax: ("LogSoftmax", (("axis", "axis"),)),
}
"""Ops that are one operator with the same inputs, and what their attributes are called there."""


@writes(*PLAIN)
def plain(call: WriteCall) -> None:
    """Write an op of `PLAIN`."""
    kind, names = PLAIN[type(call.op)]
    call.finish(kind, *call.inputs, **{theirs: getattr(call.op, ours) for ours, theirs in names})


@writes(ops.Clip)
def clip(call: WriteCall) -> None:
    """Bounds are inputs."""
    call.finish("Clip", call.input(0), call.add("low", call.op.low), call.add("high", call.op.high))


@writes(ops.PRelu)
def prelu(call: WriteCall) -> None:
    """Channels come first here, and the slope broadcasts from the right there."""
    slope = call.constant(1)
    call.finish("PRelu", call.input(0), call.add("slope", slope.reshape(-1, *(1,) * (call.rank - 1))))


@writes(ops.Dropout)
def dropout(call: WriteCall) -> None:
    """Outside of training it does nothing."""
    call.finish("Dropout", call.input(0), call.add("ratio", call.op.rate))


@writes(ops.Silu)
def silu(call: WriteCall) -> None:
    """``x * sigmoid(x)``: the operator Swish is newer."""
    x = call.input(0)
    call.finish("Mul", x, call.emit("Sigmoid", x))


@writes(ops.Mish)
def mish(call: WriteCall) -> None:
    """``x * tanh(log(1 + exp(x)))``: the operator Mish is newer."""
    x = call.input(0)
    call.finish("Mul", x, call.emit("Tanh", call.emit("Softplus", x)))


@writes(ops.Gelu)
def gelu(call: WriteCall) -> None:
    """``x / 2 * (1 + bell)``, written out: the operator Gelu is newer."""
    x, half, one = call.input(0), call.add("half", 0.5), call.add("one", 1.0)
    if call.op.approximate == "tanh":
        cube = call.emit("Mul", call.emit("Mul", call.emit("Mul", x, x), x), call.add("cubic", 0.044715))
        inner = call.emit("Mul", call.emit("Add", x, cube), call.add("scale", math.sqrt(2 / math.pi)))
        bell = call.emit("Tanh", inner)
    else:
        bell = call.emit("Erf", call.emit("Mul", x, call.add("scale", math.sqrt(0.5))))
    call.finish("Mul", call.emit("Mul", x, half), call.emit("Add", bell, one))


TWO: dict[type[Op], str] = {
    ops.Add: "Add",
    ops.Mul: "Mul",
    ops.Sub: "Sub",
    ops.Div: "Div",
    ops.Maximum: "Max",
    ops.Minimum: "Min",
}
"""Functions of two values."""


@writes(*TWO)
def two(call: WriteCall) -> None:
    """Give both values equally many axes: theirs are aligned from the right, with that of the images."""
    call.finish(TWO[type(call.op)], aligned(call, 0), aligned(call, 1))


def aligned(call: WriteCall, index: int) -> str:
    """Return an input of two with as many axes as the result; a constant broadcasts by itself."""
    shape, rank = call.shapes[index], len(call.result_shape)
    if call.is_constant(index) or len(shape) == rank:
        return call.input(index)
    wider = [0, *(1,) * (rank - len(shape)), *shape]
    return call.emit("Reshape", call.input(index), call.whole("shape", wider))


@writes(ops.MatMul)
def matmul(call: WriteCall) -> None:
    """The operator follows the same rule."""
    call.finish("MatMul", *call.inputs)


@writes(ops.Concat)
def concat(call: WriteCall) -> None:
    """A constant is repeated for each image."""
    parts = [call.input(index) for index in range(len(call.node.inputs))]
    values = [part for index, part in enumerate(parts) if not call.is_constant(index)]
    for index, shape in enumerate(call.shapes):
        if call.is_constant(index):
            count = call.emit("Slice", call.emit("Shape", values[0]), call.whole("first", [0]), call.whole("end", [1]))
            wanted = call.emit("Concat", count, call.whole("shape", shape), axis=0)
            parts[index] = call.emit("Expand", parts[index], wanted)
    call.finish("Concat", *parts, axis=call.op.axis)
