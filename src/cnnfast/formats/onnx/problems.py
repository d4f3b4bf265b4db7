"""What a file holds that is not run: every node, not only the first, in words that say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from onnx import AttributeProto, NodeProto

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.nearest import nearest
from cnnfast.formats.onnx.proto import DOMAINS, plain
from cnnfast.formats.onnx.values import Found, Images, Static, Unknown, Value
from cnnfast.ops import Shape

MOST_LISTED = 40
MOST_KINDS = 12
MOST_INPUTS = 12

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
    known : iterable of str
        The operators that are run.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = list(known)
        self._listed: list[str] = []
        self._kinds: Counter[str] = Counter()
        self.unseen = 0

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, node: NodeProto, inputs: Iterable[Value | Unknown | None], why: str) -> None:
        """Note a node that is not run."""
        kind = f"{node.domain}.{node.op_type}" if node.domain not in DOMAINS else node.op_type
        self._kinds[kind[:80]] += 1
        if len(self._listed) == MOST_LISTED:
            return
        listed = list(inputs)
        shapes = ", ".join(_shape_text(value) for value in listed[:MOST_INPUTS])
        shapes += f" and {len(listed) - MOST_INPUTS} more" if len(listed) > MOST_INPUTS else ""
        attributes = "".join(f", {a.name}={_short(a)}" for a in node.attribute)
        near = nearest(node.op_type, self._known)
        what = f"{called(node)} ({kind:.80}{attributes:.1000}) on {shapes or 'nothing'}"
        self._listed.append(f"{what}: {why}; nearest that is run: {near}")

    def report(self) -> str:
        """Return all of them: which operators, how often, and the first ones in full."""
        count = sum(self._kinds.values())
        common = self._kinds.most_common(MOST_KINDS)
        kinds = ", ".join(f"{number} {kind}" for kind, number in common)
        rest = f" and {len(self._kinds) - len(common)} other operators" if len(self._kinds) > len(common) else ""
        lines = [f"{count} nodes are not supported: {kinds}{rest}", *self._listed]
        if count > len(self._listed):
            lines.append(f"and {count - len(self._listed)} more")
        if self.unseen:
            lines.append(
                f"{self.unseen} nodes behind these are of operators that are run, but what reaches them is not known "
                "here: whether they fit will show when the others are mended"
            )
        return "\n  ".join(lines)


def supposed(node: NodeProto, inputs: Sequence[Value | Unknown | None]) -> list[Value | Unknown]:
    """Return what to take for the results of a node that is not run, so that what reads them can be looked at."""
    shapes = [value.shape for value in inputs if isinstance(value, Images)]
    of_images = bool(shapes) or any(isinstance(value, Unknown) and value.of_images for value in inputs)
    results: list[Value | Unknown] = [Unknown(of_images=of_images) for _ in node.output]
    shape = _joined(shapes) if node.op_type in KEEP and node.domain in DOMAINS else None
    if shape is not None and node.output:
        results[0] = Images(node.output[0], shape)
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
        case Images():
            return f"({', '.join(map(str, value.in_file('N')))})"
        case Static(pair=(a, _)):
            return f"constant {a.shape}"
        case Found():
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
