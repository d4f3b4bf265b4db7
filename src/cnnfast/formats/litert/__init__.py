"""Models of LiteRT (TensorFlow Lite), float and quantized; quantized ones compute with their own integers.

`docs/litert.md` lists the operators.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.formats.error_context import error_context, name_of
from cnnfast.formats.input_layout import check_layout
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess


def read(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | str | None = None,
    input_layout: str | None = None,
    integers: bool | None = None,
) -> Model:
    """Read a model of LiteRT.

    Parameters
    ----------
    path : path-like
        A ``.tflite`` file.
    classes : sequence of str, optional
        The labels.
    preprocess : Preprocess or str, optional
        How a picture becomes the input. By default what the model's own input does with bytes: a quantized input scales
        them, and sums and products at the start of a float network do; without them pictures are refused until this
        says it. "raw" (0 to 255), "1/255", or "tf", "torch" and "caffe", as ``preprocess_input`` of keras.applications.
    input_layout : {"nchw", "nhwc"}, optional
        How the file has its images. By default its first operators tell: "nchw", as PyTorch has them, if they bring the
        channels from the second axis to the last, else "nhwc".
    integers : bool, optional
        Whether a quantized file computes with its integers and rounds where it does, or with the numbers that they
        stand for. By default it uses its integers where a layer has them; see docs/quantization.md.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    UnsupportedError
        If the model has operators that cnnfast does not run; all of them are listed. With ``integers=True``, if no
        layer of the file is quantized.
    ConfigError
        For an unknown ``preprocess`` or ``input_layout``, or if the package tflite is missing.

    Notes
    -----
    With ``integers=False`` quantized weights become the numbers that they stand for. Activations are not rounded to 8
    bits, but they end where the range of their 8 bits ends. The note "integers" says what runs in float, and why.
    """
    # read here: most users have no file of LiteRT
    from cnnfast.formats.integers import check_wanted
    from cnnfast.formats.litert.layout import has_channels_first
    from cnnfast.formats.litert.network import build_with_integers
    from cnnfast.formats.litert.schema import need_tflite, read_model
    from cnnfast.formats.pixels import check_preprocess, with_pixels

    need_tflite()
    check_preprocess(preprocess)
    check_layout(input_layout)
    check_wanted(integers)
    with error_context(path):
        source = read_model(Path(path))
        whole, found = build_with_integers(source, has_channels_first(source, input_layout))
        graph, rule = with_pixels(whole, preprocess, source.byte_to_input())
        graph, notes = found.computed_with(graph, integers, input_is_own=graph is whole)
        labels = None if classes is None else tuple(classes)
        return Model(graph, rule, labels, notes={"source": f"LiteRT, {name_of(path)}", **notes})


def _sniff(path: Path, head: bytes) -> bool:
    return head[4:8] == b"TFL3"


FORMAT = register(
    ModelFormat(
        "litert",
        "a model of LiteRT (TensorFlow Lite)",
        (".tflite",),
        _sniff,
        read,
        ("classes", "preprocess", "input_layout", "integers"),
    )
)
