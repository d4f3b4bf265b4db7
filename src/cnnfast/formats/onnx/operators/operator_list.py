"""The list of operators: each file of this folder enters its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.values import Value
from cnnfast.runtime.registry import Registry

Operator = Callable[[NodeCall], Value | Sequence[Value]]

OPERATORS: Registry[str, Operator] = Registry("operators of ONNX")
"""Every operator that may read images, by its name in ONNX."""


CONTRIBUTED: Registry[str, Operator] = Registry("operators of ONNX Runtime")
"""The same of the domain com.microsoft."""

operator = OPERATORS.register
"""Enter a function for one or more operators."""

contributed = CONTRIBUTED.register
"""Enter a function for one or more operators of com.microsoft."""
