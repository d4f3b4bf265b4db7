"""ONNX files: networks exported by PyTorch, TensorFlow, Keras, Paddle, CNTK and others.

    sniff.py      is this an ONNX file? By its bytes alone
    proto.py      file -> protobuf message; tensors of every kind, external data
    external.py   weights in other files: which may be opened
    values.py     what a name of the file stands for: images, or a constant that may depend on the number of images
    call.py       a node of the file with its attributes and inputs, as the operators see it
    functions.py  functions of the file, written out
    fold.py       operators on constants: NumPy, with a budget
    operators/    one file for each family of operators: what each becomes in ops of cnnfast
    layout.py     N, C, H, W or N, H, W, C? What the file does to its images shows it
    ends.py       the one input and the one output; what the user specifies where the file leaves them open
    translate.py  walks the nodes; gathers everything that is not supported
    writing/      the other direction: networks as ONNX files

Nothing of a file is executed, and the `onnx` package is imported when a file is read, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.formats.error_context import error_context
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.formats.onnx.sniff import looks_like_onnx
from cnnfast.formats.pixels import check_preprocess
from cnnfast.ops import Shape

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess


def read(
    path: str | os.PathLike[str],
    *,
    input_shape: Shape | None = None,
    input_layout: str | None = None,
    output: str | None = None,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | str | None = None,
    integers: bool | None = None,
) -> Model:
    """Read an ONNX file, opset 7 or newer.

    Parameters
    ----------
    path : path-like
        Weights may be in other files next to it (external data).
    input_shape : (C, H, W) or (F,), optional
        Shape of one image, as cnnfast takes it; needed where the file leaves height and width open.
    input_layout : {"nchw", "nhwc"}, optional
        How the file has its images. By default its first operators tell: "nhwc" if they bring the channels from the
        last axis to the front, else "nchw", which leaves the axes as the file has them.
    output : str, optional
        The value at which the network ends: one of several outputs, or any value inside of it. What comes behind is not
        looked at.
    classes : sequence of str, optional
        The label of each output; by default those of a file that cnnfast has written. Others hold none.
    preprocess : Preprocess or str, optional
        How a picture becomes the input. By default as a file says that cnnfast has written, and an input of bytes takes
        them as they are. "raw" does so for an input
        of floats; "tf", "torch" and "caffe" are the modes of ``preprocess_input`` of keras.applications.
    integers : bool, optional
        Whether a quantized file computes with its integers and rounds where it does, or with the numbers that they
        stand for. By default it uses its integers where a layer has them; see docs/quantization.md.

    Returns
    -------
    Model
        Values carry the names of the file. A network that takes images as N, H, W, C takes N, C, H, W here.

    Raises
    ------
    ModelFileError
        If the file is damaged, or leaves the input's shape open and ``input_shape`` does not state it.
    UnsupportedError
        If it holds operators that cnnfast does not run, all of which are listed. With ``integers=True``, if no layer of
        the file is quantized.
    ConfigError
        For an unknown ``preprocess``, or if the package onnx is missing.
    """
    path = Path(path)
    check_preprocess(preprocess)
    with error_context(path):
        with needs("reading ONNX files", "cnnfast[onnx]"):
            from cnnfast.formats.onnx.proto import load_model
        from cnnfast.formats.integers import check_wanted
        from cnnfast.formats.onnx.ends import Said, takes_bytes
        from cnnfast.formats.onnx.external import ExternalFiles
        from cnnfast.formats.onnx.integers import integers_in
        from cnnfast.formats.onnx.translate import translation
        from cnnfast.formats.onnx.writing.metadata import read_metadata
        from cnnfast.graph.answers import label_counts
        from cnnfast.images.preprocess import rule_of

        check_wanted(integers)
        model = load_model(path)
        held = read_metadata(model)
        if held and input_layout is None and len(model.graph.input[0].type.tensor_type.shape.dim) == 4:
            # our own files have images as we take them, whatever is done to them first
            input_layout = "nchw"
        done, graph = translation(model, ExternalFiles.of(path), Said(input_shape, input_layout, output))
        ((name, shape),) = graph.inputs.items()
        if preprocess is None and takes_bytes(model.graph, name) and len(shape) == 3 and shape[0] in (1, 3):
            preprocess = "raw"
        graph, more = integers_in(done, graph).computed_with(graph, integers)
        notes = held.get("notes") or {"source": "ONNX"}
        rule = held.get("preprocess") if preprocess is None else rule_of(preprocess, shape)
        labels = held.get("classes") if classes is None else tuple(classes)
        if classes is None and output is not None and labels is not None and len(labels) not in label_counts(graph):
            # those of the file belong to its own output
            labels = None
        return Model(graph, rule, labels, held.get("license"), {**notes, **more})


def integers_of(path: Path, input_shape: Shape) -> dict[str, tuple[float, float] | None]:
    """Return which names of a file stand for integers: scale and zero point, or None where no constant says them.

    Parameters
    ----------
    path : Path
    input_shape : Shape
        Of one image.

    Raises
    ------
    CnnfastError
        If the file cannot be read as a network.
    """
    from cnnfast.formats.onnx.ends import Said
    from cnnfast.formats.onnx.external import ExternalFiles
    from cnnfast.formats.onnx.proto import load_model
    from cnnfast.formats.onnx.translate import translation
    from cnnfast.formats.onnx.values import OnnxImages

    with error_context(path):
        done, _ = translation(load_model(path), ExternalFiles.of(path), Said(input_shape))
    held = {name: v.integers for name, v in done.values.items() if isinstance(v, OnnxImages) and v.integers}
    known = {name: (i.scale, i.zero) for name, i in held.items()}
    return {
        name: None if isinstance(scale, str) or isinstance(zero, str) else (scale, zero)
        for name, (scale, zero) in known.items()
    }


def _sniff(path: Path, head: bytes) -> bool:
    return looks_like_onnx(head)


register(
    ModelFormat(
        "onnx",
        "ONNX model",
        (".onnx",),
        _sniff,
        read,
        ("input_shape", "input_layout", "output", "classes", "preprocess", "integers"),
    )
)
