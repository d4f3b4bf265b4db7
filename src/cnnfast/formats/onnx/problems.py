"""What a file holds that is not run: every node, not only the first, with what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from onnx import AttributeProto, NodeProto

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.proto import DOMAINS, plain
from cnnfast.formats.onnx.values import FoundScale, OnnxImages, Static, Unknown, Value
from cnnfast.formats.unsupported import ONNX_HINTS, UnsupportedReport, nearest
from cnnfast.ops import Shape

MAX_INPUTS = 12

KEEP = {
    *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "BitwiseNot"),
    *("Cast", "Ceil", "Celu", "Clip", "Cos", "Cosh", "CumSum", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor"),
    *("Gelu", "Greater", "GreaterOrEqual", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax", "Identity"),
    *(
        "InstanceNormalization",
        "IsInf",
        "IsNaN",
        "LRN",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
    ),
    *(
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "Max",
        "Mean",
        "MeanVarianceNormalization",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
    ),
    *("Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"),
    *("Softmax", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Trilu"),
    *("Where", "Xor"),
}
"""Operators whose result has the shape of their inputs, whether they are run or not."""


class Problems:
    """Nodes that are not run, and how many behind them could not be looked at.

    Parameters
    ----------
    known : collection of str
        The operators that are run.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._report = UnsupportedReport("its nodes")
        self.unseen = 0

    def __bool__(self) -> bool:
        return bool(self._report)

    def add(self, node: NodeProto, inputs: Iterable[Value | Unknown | None], why: str) -> None:
        """Note a node that is not run."""
        kind = f"{node.domain}.{node.op_type}" if node.domain not in DOMAINS else node.op_type
        self._report.add(kind, "" if self._report.is_full else self._row(kind, node, list(inputs), why))

    def _row(self, kind: str, node: NodeProto, inputs: Sequence[Value | Unknown | None], why: str) -> str:
        shapes = ", ".join(_shape_text(value) for value in inputs[:MAX_INPUTS])
        shapes += f" and {len(inputs) - MAX_INPUTS} more" if len(inputs) > MAX_INPUTS else ""
        attributes = "".join(f", {a.name}={_short(a)}" for a in node.attribute)
        what = f"{called(node)} ({kind:.80}{attributes:.300}) on {shapes or 'nothing'}"
        # an operator that is run otherwise needs no other name
        is_told = node.op_type in ONNX_HINTS or node.op_type not in self._known
        return f"{what}: {why}" + (f"; {nearest('onnx', node.op_type, self._known)}" if is_told else "")

    def raise_if_any(self) -> None:
        """Raise `UnsupportedError` about all of them: which operators, how often, and the first ones in full."""
        self._report.raise_if_any(
            f"{self.unseen} more behind these {'are' if self.unseen > 1 else 'is'} of operators that are run, but what "
            "is read there is not known: whether that fits will show when the others are mended"
            if self.unseen
            else ""
        )


def supposed(node: NodeProto, inputs: Sequence[Value | Unknown | None]) -> list[Value | Unknown]:
    """Return what to take for the results of a node that is not run, so that what reads them can be looked at."""
    shapes = [value.shape for value in inputs if isinstance(value, OnnxImages)]
    of_images = bool(shapes) or any(isinstance(value, Unknown) and value.of_images for value in inputs)
    results: list[Value | Unknown] = [Unknown(of_images=of_images) for _ in node.output]
    shape = _joined(shapes) if node.op_type in KEEP and node.domain in DOMAINS else None
    if shape is not None and node.output:
        results[0] = OnnxImages(node.output[0], shape)
    return results


def _joined(shapes: Sequence[Shape]) -> Shape | None:
    try:
        return np.broadcast_shapes(*shapes) if shapes else None
    except ValueError:
        return None


def called(node: NodeProto) -> str:
    """Return how a message names a node."""
    return repr(node.name or (node.output[0] if node.output else "?"))[:200]


def _shape_text(value: Value | Unknown | None) -> str:
    match value:
        case OnnxImages():
            return f"({', '.join(map(str, value.in_file('N')))})"
        case Static(pair=(a, _)):
            return f"constant {a.shape}"
        case FoundScale():
            return "a scale found in the images"
        case None:
            return "nothing"
    return "unknown"


def _short(attribute: AttributeProto) -> str:
    try:
        value = plain(attribute, None)
    except (UnsupportedError, ModelFileError):
        return "..."
    text = f"array {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
