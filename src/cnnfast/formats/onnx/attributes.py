"""Attributes of a node that nothing reads: an error, unless they say what the operator does anyway.

This is the net below all operators: whichever of them forgets an attribute, or does not know one that a later operator
set brings, no value of a file is dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, defs

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.proto import plain


def check_all_read(node: NodeProto, opset: int, read: Collection[str]) -> None:
    """Refuse attributes that were not read and are not what the operator does by default.

    Raises
    ------
    ModelFileError
        If an attribute is stated twice.
    UnsupportedError
        If one is unknown, or has another value than its default.
    """
    counts = Counter(attribute.name for attribute in node.attribute)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ModelFileError(f"{node.op_type} states its attribute {twice[0]!r:.80} {counts[twice[0]]} times")
    left = [attribute for attribute in node.attribute if attribute.name not in read]
    if not left:
        return
    defined = _defined(node.op_type, opset)
    for attribute in left:
        if attribute.name not in defined:
            raise UnsupportedError(
                f"attribute {attribute.name!r:.80}, which {node.op_type} does not have in operator set {opset}"
            )
        default = defined[attribute.name].default_value
        if not _same(attribute, default):
            usual = f"only {_text(default)} is run" if default.type else "it must be left out"
            raise UnsupportedError(f"attribute {attribute.name!r:.80} is {_text(attribute)}; {usual}")


def _defined(kind: str, opset: int) -> Mapping[str, Any]:
    """Return the attributes that an operator has in an operator set."""
    try:
        attributes: Mapping[str, Any] = defs.get_schema(kind, opset, "").attributes
    except defs.SchemaError:
        return {}
    return attributes


def _same(a: AttributeProto, b: AttributeProto) -> bool:
    if a.type != b.type:
        return False
    try:
        first, second = plain(a, None), plain(b, None)
    except (UnsupportedError, ModelFileError):
        return False
    return bool(np.array_equal(first, second))


def _text(attribute: AttributeProto) -> str:
    try:
        return repr(plain(attribute, None))[:60]
    except (UnsupportedError, ModelFileError):
        return "something else"
