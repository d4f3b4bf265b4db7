"""The list of rules: each file of this folder enters its own."""

from __future__ import annotations

from collections.abc import Callable

from cnnfast.formats.onnx.writing.target import WriteCall
from cnnfast.ops import Op
from cnnfast.runtime.registry import Registry

WriteRule = Callable[[WriteCall], None]

WRITE_RULES: Registry[type[Op], WriteRule] = Registry("rules that write ops as ONNX")
"""What writes each op, by its class."""

writes = WRITE_RULES.register
"""Enter a function for one or more classes of ops."""
