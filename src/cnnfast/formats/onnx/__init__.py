"""ONNX files: networks exported by PyTorch, TensorFlow, Keras, Paddle, CNTK and others.

    sniff.py      is this an ONNX file? By its bytes alone
    proto.py      file -> protobuf message; tensors of every kind, external data
    values.py     what a name of the file stands for: images, or a constant that may depend on the number of images
    call.py       a node of the file with its attributes and inputs, as the operators see it
    fold.py       operators on constants: NumPy, with a budget
    operators/    one file for each family of operators: what each becomes in ops of cnnfast
    translate.py  walks the nodes; gathers everything that is not supported

Nothing of a file is executed, and the `onnx` package is imported when a file is read, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.formats.blame import blame
from cnnfast.formats.model import Model
from cnnfast.formats.onnx.sniff import looks_like_onnx
from cnnfast.formats.registry import Format, register
from cnnfast.ops import Shape

if TYPE_CHECKING:
    from cnnfast.preprocess import Preprocess


def read(
    path: str | os.PathLike[str],
    *,
    input_shape: Shape | None = None,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
) -> Model:
    """Read an ONNX file, opset 7 or newer.

    Parameters
    ----------
    path : path-like
        Weights may lie in other files of the same folder (external data).
    input_shape : (C, H, W) or (F,), optional
        Shape of one image, as cnnfast takes it; needed where the file leaves height and width open.
    classes : sequence of str, optional
        The label of each output; no ONNX file holds them.
    preprocess : Preprocess, optional
        How a picture becomes the input.

    Returns
    -------
    Model
        Values carry the names of the file. A network that takes images as N, H, W, C takes N, C, H, W here.

    Raises
    ------
    ModelFileError
        If the file is damaged, or leaves the input's shape open and ``input_shape`` does not say it.
    UnsupportedError
        If it holds operators that cnnfast does not run, all of which are listed.
    ConfigError
        If the package onnx is missing.
    """
    path = Path(path)
    with blame(path):
        with needs("reading ONNX files", "cnnfast[onnx]"):
            from cnnfast.formats.onnx.proto import load_model
        from cnnfast.formats.onnx.translate import translated

        graph = translated(load_model(path), path.parent, input_shape)
        labels = None if classes is None else tuple(classes)
        return Model(graph, preprocess, labels, notes={"source": "ONNX"})


def _sniff(path: Path, head: bytes) -> bool:
    return looks_like_onnx(head)


register(Format("onnx", "ONNX model", (".onnx",), _sniff, read))
