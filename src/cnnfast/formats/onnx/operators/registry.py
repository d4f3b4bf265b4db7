"""The list of operators: each file of this folder enters its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnfast.formats.onnx.call import Call
from cnnfast.formats.onnx.values import Value

Operator = Callable[[Call], Value | Sequence[Value]]

OPERATORS: dict[str, Operator] = {}
"""Every operator that may read images, by its name in ONNX."""


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function for one or more operators."""

    def enter(function: Operator) -> Operator:
        for name in names:
            if name in OPERATORS:
                raise AssertionError(f"two functions are registered for {name}")
            OPERATORS[name] = function
        return function

    return enter
