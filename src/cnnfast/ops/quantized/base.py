"""What the ops on integers share: which dtypes they read and make, and the limits of their result."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from cnnfast._frozen import field, frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import QUANTIZED_OPS, Op, register_in, set_field
from cnnfast.ops.quantized.rounding import byte, scale32


class QuantizedOp(Op):
    """Base of the ops that read or make integers."""

    reads: ClassVar[tuple[str, ...]] = ("uint8",)
    """The dtype of each input, parameters included."""
    makes: ClassVar[str] = "uint8"

    @property
    def is_quantized(self) -> bool:
        return True

    def dtype(self, *inputs: str) -> str:
        names = (*self.data, *self.parameters)
        for name, wanted, given in zip(names, self.reads, inputs, strict=False):
            if given != wanted:
                raise GraphError(f"{self.name} reads {name.rstrip('?')} as {wanted}, but it is {given}")
        return self.makes


@frozen
class OnGrid(QuantizedOp):
    """Base of the ops whose result is bytes: their scale, their zero point, and limits that are activations."""

    scale: float
    zero: int
    low: int = field(default=0, kw_only=True)
    high: int = field(default=255, kw_only=True)

    def __post_init__(self) -> None:
        self.check_grids("scale")
        byte(self.name, "zero", self.zero)
        byte(self.name, "low", self.low)
        byte(self.name, "high", self.high)
        if self.low > self.high:
            raise GraphError(f"low of {self.name} must be at most high, but they are {self.low} and {self.high}")

    def check_grids(self, *scales: str) -> None:
        """Round scales to float32, and check them."""
        for name in scales:
            set_field(self, name, scale32(self.name, name, getattr(self, name)))


Class = TypeVar("Class", bound=type[Op])


def register_quantized(cls: Class) -> Class:
    """Enter a class into `QUANTIZED_OPS`."""
    return register_in(QUANTIZED_OPS, cls)
