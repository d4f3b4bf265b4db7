"""What each ONNX operator becomes: one file for each family, one function for each operator or group of them.

A function takes a `NodeCall` and returns the value of its result, or a list of several.
"""

from cnnfast.formats.onnx.operators import (  # noqa: F401  (each registers its operators)
    arithmetic,
    conv_gemm,
    elements,
    moves,
    norms,
    onnxruntime,
    pools,
    quantized,
    reductions,
    resize,
    shapes,
)
from cnnfast.formats.onnx.operators.operator_list import CONTRIBUTED, OPERATORS

__all__ = ["CONTRIBUTED", "OPERATORS"]
