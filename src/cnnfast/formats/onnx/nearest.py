"""What to say about an operator that is not run: the nearest thing that is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ADVICE = {
    "ConvTranspose": "Resize followed by Conv; decoders are not classifiers",
    "LSTM": "Conv over one axis; recurrent networks are not run",
    "GRU": "Conv over one axis; recurrent networks are not run",
    "RNN": "Conv over one axis; recurrent networks are not run",
    "Loop": "a network without control flow: export it unrolled",
    "If": "a network without control flow: export it for one case",
    "Scan": "a network without control flow: export it unrolled",
    "ArgMax": "the scores in front of it: cut there with output=NAME, predict() gives the label",
    "TopK": "the scores in front of it: cut there with output=NAME, topk() gives the labels",
    "NonMaxSuppression": "classifiers; detectors are not run",
    "Attention": "MatMul and Softmax: onnx.inliner, or an operator set below 23, writes it out",
    "Einsum": "MatMul, Transpose and Reshape",
    "Hardmax": "Softmax",
    "CumSum": "ReduceSum",
    "Tile": "Concat",
    "Where": "Clip, Relu, Max, Min",
}
"""What people look for, and what they may take instead."""


def nearest(kind: str, known: Iterable[str]) -> str:
    """Return the nearest thing that is supported, as a phrase.

    Examples
    --------
    >>> nearest("ReduceProd", ["ReduceSum", "Relu"])
    'ReduceSum'
    """
    if kind in ADVICE:
        return ADVICE[kind]
    names = [name for name in known if name != kind]
    return ", ".join(difflib.get_close_matches(kind, names, n=2, cutoff=0.5)) or "nothing near it"
