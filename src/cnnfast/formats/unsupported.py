"""What a file holds that cnnfast does not run: all of it in one error, with the reasons and with what comes nearest."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

from cnnfast.errors import UnsupportedError

MAX_LISTED = 100
MAX_KINDS = 12

KERAS_HINTS = {
    "Lambda": "it holds Python code, which is never run from a file; write it with Rescaling, Activation, Multiply, …",
    "Conv2DTranspose": "nearest: UpSampling2D and Conv2D",
    "Conv1D": "nearest: Conv2D on images of height 1",
    "Conv3D": "nearest: Conv2D",
    "GlobalAveragePooling1D": "nearest: GlobalAveragePooling2D",
    "AutoContrast": "it changes pictures in prediction too; do it to the pictures before they reach the network",
    "ContrastLimitedAdaptiveHistogramEqualization": "do it to the pictures before they reach the network",
    "TFOpLambda": "a function of TensorFlow; nearest: the layers Add, Multiply, Activation, Reshape, …",
}

ONNX_HINTS = {
    "ConvTranspose": "nearest: Resize followed by Conv; decoders are not classifiers",
    "LSTM": "nearest: Conv over one axis; recurrent networks are not run",
    "GRU": "nearest: Conv over one axis; recurrent networks are not run",
    "RNN": "nearest: Conv over one axis; recurrent networks are not run",
    "Loop": "nearest: a network without control flow; export it unrolled",
    "If": "nearest: a network without control flow; export it for one case",
    "Scan": "nearest: a network without control flow; export it unrolled",
    "ArgMax": "nearest: the scores in front of it; cut there with output=NAME, predict() gives the label",
    "TopK": "nearest: the scores in front of it; cut there with output=NAME, topk() gives the labels",
    "NonMaxSuppression": "nearest: classifiers; detectors are not run",
    "Attention": "nearest: MatMul and Softmax; onnx.inliner, or an operator set below 23, writes it out",
    "Einsum": "nearest: MatMul, Transpose and Reshape",
    "Hardmax": "nearest: Softmax",
    "CumSum": "nearest: ReduceSum",
    "Tile": "nearest: Concat",
    "Where": "nearest: Clip, Relu, Max, Min",
}

ATEN_HINTS = {
    "baddbmm": "nearest: bmm and add",
    "conv1d": "nearest: conv2d on images of height 1",
    "conv3d": "nearest: conv2d",
    "conv_transpose2d": "nearest: upsample_nearest2d and conv2d",
    "bernoulli": "it is random; the module must not drop anything when it predicts",
    "rand": "it is random",
    "_native_batch_norm_legit": "statistics of the batch; give the batch-norm running statistics (track_running_stats)",
    "index": "nearest: slice, select",
    "gather": "nearest: slice, select",
    "argmax": "return the scores; predict() takes the largest",
    "topk": "return the scores; Network.topk() sorts them",
}
"""What to do instead, where the most similar name would not help."""

HINTS = {"keras": KERAS_HINTS, "onnx": ONNX_HINTS, "torch": ATEN_HINTS, "litert": {}}
"""The hints by format."""


def nearest(form: str, kind: str, known: Iterable[str]) -> str:
    """Return a hint about a kind of layer or operator: what to take instead, or the known one with the nearest name.

    Parameters
    ----------
    form : str
        The format, one of `HINTS`.
    kind : str
    known : iterable of str
        The kinds of that format that are run.

    Examples
    --------
    >>> nearest("torch", "conv3d", ["conv2d"])
    'nearest: conv2d'
    >>> nearest("litert", "CONV_3D", ["CONV_2D", "RELU"])
    'nearest that is supported: CONV_2D'
    """
    if kind in HINTS[form]:
        return HINTS[form][kind]
    close = difflib.get_close_matches(kind[:100], sorted(known), 1, cutoff=0.8)
    return f"nearest that is supported: {close[0]}" if close else "nothing close is supported"


class UnsupportedReport:
    """Gathers what is not run; one error then reports all of it.

    Parameters
    ----------
    among : str
        What these are some of.

    Examples
    --------
    >>> report = UnsupportedReport("its layers")
    >>> report.add("Conv3D", "'first' (Conv3D): nearest: Conv2D")
    >>> report.raise_if_any()
    Traceback (most recent call last):
    cnnfast.errors.UnsupportedError: cnnfast does not run one of its layers (Conv3D):
      'first' (Conv3D): nearest: Conv2D
    """

    def __init__(self, among: str) -> None:
        self._among = among
        self._rows: list[str] = []
        self._kinds: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._kinds)

    @property
    def is_full(self) -> bool:
        """Whether further ones are only counted, so that their rows need not be written."""
        return len(self._rows) == MAX_LISTED

    def add(self, kind: str, row: str) -> None:
        """Note one, with the line about it."""
        self._kinds[kind[:80]] += 1
        if not self.is_full:
            self._rows.append(row)

    def raise_if_any(self, remark: str = "") -> None:
        """Raise `UnsupportedError` about all of them, with a remark as its last line."""
        if not self:
            return
        count = self._kinds.total()
        lines = [f"cnnfast does not run {'one' if count == 1 else count} of {self._among} ({self._summary()}):"]
        lines += self._rows
        if count > len(self._rows):
            lines.append(f"and {count - len(self._rows)} more")
        raise UnsupportedError("\n  ".join(lines + [remark] * bool(remark)))

    def _summary(self) -> str:
        common = self._kinds.most_common(MAX_KINDS)
        if self._kinds.total() == 1:
            return common[0][0]
        more = len(self._kinds) - len(common)
        return ", ".join(f"{count} {kind}" for kind, count in common) + (f" and {more} other kinds" if more else "")
