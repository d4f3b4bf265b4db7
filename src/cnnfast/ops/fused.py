"""An op with what follows it, as one node."""

from __future__ import annotations

from typing import Any, ClassVar

from cnnfast._frozen import frozen
from cnnfast.ops.base import Array, Cost, Op, Shape


@frozen
class Fused(Op):
    """Compute ``base``, then each op of ``tail`` on the result: residual add, activation, pool.

    Inputs are those of the base, then, in order, what each op of the tail reads besides the running result. A pass
    makes it; no file holds one, so it is not registered.

    Examples
    --------
    >>> from cnnfast.ops import Linear, Relu
    >>> Fused(Linear(), (Relu(),), 3).shape((4,), (2, 4), (2,))
    (2,)
    """

    name: ClassVar[str] = "fused"

    base: Op
    tail: tuple[Op, ...]
    base_inputs: int

    def check_arity(self, count: int) -> None:
        self.base.check_arity(self.base_inputs)

    @property
    def is_quantized(self) -> bool:
        return any(op.is_quantized for op in (self.base, *self.tail))

    def dtype(self, *inputs: str) -> str:
        (base, own), *tail = self.steps(*inputs)
        dtype = base.dtype(*own)
        for op, extra in tail:
            dtype = op.dtype(dtype, *extra)
        return dtype

    def is_data_input(self, index: int) -> bool:
        if index < self.base_inputs:
            return self.base.is_data_input(index)
        # the running result is the first input of each op of the tail
        numbers = [(op, i) for op in self.tail for i in range(1, len(op.data) + len(op.parameters))]
        op, own = numbers[index - self.base_inputs]
        return op.is_data_input(own)

    def steps(self, *inputs: Any) -> list[tuple[Op, tuple[Any, ...]]]:
        """Return the ops with the inputs of each; the running result is left out of the inputs of the tail."""
        pairs = [(self.base, inputs[: self.base_inputs])]
        position = self.base_inputs
        for op in self.tail:
            extra = len(op.data) + len(op.parameters) - 1
            pairs.append((op, inputs[position : position + extra]))
            position += extra
        return pairs

    def shape(self, *inputs: Shape) -> Shape:
        (base, own), *tail = self.steps(*inputs)
        shape = base.shape(*own)
        for op, extra in tail:
            shape = op.shape(shape, *extra)
        return shape

    def reference(self, *inputs: Array) -> Array:
        (base, own), *tail = self.steps(*inputs)
        y = base.reference(*own)
        for op, extra in tail:
            y = op.reference(y, *extra)
        return y

    def cost(self, *inputs: Shape) -> Cost:
        (base, own), *tail = self.steps(*inputs)
        shape, total = base.shape(*own), base.cost(*own)
        for op, extra in tail:
            total += op.cost(shape, *extra)
            shape = op.shape(shape, *extra)
        return total

    def describe(self) -> str:
        return " ".join(filter(None, (self.base.describe(), *(op.describe() for op in self.tail))))
