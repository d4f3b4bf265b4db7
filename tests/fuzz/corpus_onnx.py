"""ONNX models: a classifier, one with its weights in nodes and channels last, and one that is mostly shapes."""

from __future__ import annotations

import numpy as np
from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return small models that between them use most of what a file can hold."""
    from formats.onnx_small import classifier, model, node
    from onnx import helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float16))
    last = [
        helper.make_node("Constant", [], ["w16"], value=weight),
        node("Cast", "w16", "w", to=1),
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w", "c"),
        node("Transpose", "c", "u", perm=[0, 2, 3, 1]),
        node("ReduceMean", "u", "y", axes=[1, 2], keepdims=0),
    ]
    sizes = {
        "big": np.array([2, 2]),
        "one": np.array([1]),
        "end": np.array([7]),
        "axis": np.array([2]),
        "pads": np.array([0, 0, 1, 0, 0, 0, 1, 0]),
    }
    shapes = [
        helper.make_node("Constant", [], ["times"], value_ints=[1, 1, 2, 2]),
        node("ConstantOfShape", "big", "k", value=numpy_helper.from_array(np.array([0.5], np.float32))),
        node("Pad", "x pads", "p"),
        node("Slice", "p one end axis", "s"),
        node("Resize", "s - scales", "z", mode="nearest"),
        node("Expand", "k big", "e"),
        node("ReduceSum", "e one", "f", keepdims=0),
        node("Flatten", "z", "g"),
        node("Relu", "g", "y"),
    ]
    sizes["scales"] = np.array([1, 1, 2, 2], np.float32)
    models = [classifier(), model(last, ("N", 8, 8, 3)), model(shapes, weights=sizes)]
    return [m.SerializeToString() for m in models]


CORPUS = Corpus(
    "onnx",
    seeds,
    words=(
        *(b"Conv", b"Gemm", b"Expand", b"ConstantOfShape", b"Range", b"Tile", b"Loop", b"Reshape", b"Resize"),
        *(b"axis", b"perm", b"pads", b"location", b"../../etc/passwd"),
        *(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\x07", b"\x08\x00", b"\x80\x80\x80\x80\x10"),
    ),
    needs=("onnx",),
)
