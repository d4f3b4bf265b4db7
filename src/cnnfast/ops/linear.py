"""The dense layer."""

from __future__ import annotations

from typing import ClassVar

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


@register
@frozen
class Linear(Op):
    """Multiply by a matrix and add a bias: ``y[n,o] = b[o] + sum_f w[o,f] * x[n,f]``.

    Shapes: x (N, F), weight (O, F), bias (O,), y (N, O).

    Raises
    ------
    GraphError
        If the shapes do not fit.

    Notes
    -----
    Equals ONNX Gemm with ``transB=1`` and ``torch.nn.functional.linear``. One image costs ``O * F`` multiply-adds.

    Examples
    --------
    >>> Linear().shape((320,), (10, 320), (10,))
    (10,)
    """

    name: ClassVar[str] = "linear"
    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias?")

    def shape(self, *inputs: Shape) -> Shape:
        x, weight = inputs[0], inputs[1]
        if len(x) != 1:
            raise GraphError(f"linear needs an input of shape (F,), but got {x}; put a flatten before it")
        if len(weight) != 2 or weight[1] != x[0]:
            raise GraphError(f"linear on {x[0]} features needs a weight of shape (O, {x[0]}), but it is {weight}")
        if len(inputs) > 2 and inputs[2] != weight[:1]:
            raise GraphError(f"linear with {weight[0]} outputs needs a bias of that length, but it is {inputs[2]}")
        return (weight[0],)

    def reference(self, *inputs: Array) -> Array:
        y: Array = inputs[0] @ inputs[1].T
        return y + inputs[2] if len(inputs) > 2 else y

    def cost(self, *inputs: Shape) -> Cost:
        outputs, features = inputs[1]
        return Cost(outputs * features, 2 * outputs * features)
