"""Models of LiteRT (TensorFlow Lite), float and quantised; quantised ones run as float.

`docs/litert.md` lists the operators.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.formats.blame import blame
from cnnfast.formats.model import Model
from cnnfast.formats.registry import Format, register

if TYPE_CHECKING:
    from cnnfast.preprocess import Preprocess


def read(
    path: str | os.PathLike[str], classes: Sequence[str] | None = None, preprocess: Preprocess | str | None = None
) -> Model:
    """Read a model of LiteRT.

    Parameters
    ----------
    path : path-like
        A ``.tflite`` file.
    classes : sequence of str, optional
        The labels.
    preprocess : Preprocess or str, optional
        How a picture becomes the input. By default what the model's own input does with bytes: a quantised input scales
        them, a float input takes 0 to 255, and sums and products at the start of the network belong to it. "tf",
        "torch" and "caffe" are the modes of ``preprocess_input`` of keras.applications.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    UnsupportedError
        If the model has operators that cnnfast does not run; all of them are listed.
    ConfigError
        For an unknown ``preprocess``, or if the package tflite is missing.

    Notes
    -----
    Quantised weights become the numbers that they stand for; activations are not rounded to 8 bits, so results are
    those of the float network with these weights.
    """
    # read here: most users have no file of LiteRT
    from cnnfast.formats.litert.network import build
    from cnnfast.formats.litert.schema import need_tflite, read_model
    from cnnfast.formats.pixels import check_preprocess, with_pixels

    need_tflite()
    check_preprocess(preprocess)
    with blame(path):
        source = read_model(Path(path))
        graph = build(source)
        graph, rule = with_pixels(graph, preprocess, *source.byte_to_input())
        labels = None if classes is None else tuple(classes)
        return Model(graph, rule, labels, notes={"source": f"LiteRT, {Path(path).name}"})


def _sniff(path: Path, head: bytes) -> bool:
    return head[4:8] == b"TFL3"


FORMAT = register(Format("litert", "a model of LiteRT (TensorFlow Lite)", (".tflite",), _sniff, read))
