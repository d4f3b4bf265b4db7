"""Ops on integers: bytes with a scale and a zero point, and exact sums of their products.

`docs/quantization.md` has the formula of each; the references here compute it exactly so, in integers and single
operations of float32. They are listed in `QUANTIZED_OPS`, apart from the ops on floats, whose references take any float
dtype.
"""

from cnnfast.ops.base import QUANTIZED_OPS
from cnnfast.ops.quantized.arithmetic import QuantizedAdd, QuantizedMul
from cnnfast.ops.quantized.base import QuantizedOp
from cnnfast.ops.quantized.conv_linear import IntegerConv2d, IntegerLinear, check_sums, corrected_bias
from cnnfast.ops.quantized.lookup import Lookup
from cnnfast.ops.quantized.pool import QuantizedAvgPool, QuantizedGlobalAvgPool
from cnnfast.ops.quantized.rounding import Grid, saturate
from cnnfast.ops.quantized.scaling import Dequantize, DequantizeSums, Quantize, Requantize, RequantizeAdd

__all__ = [
    "QUANTIZED_OPS",
    "Dequantize",
    "DequantizeSums",
    "Grid",
    "IntegerConv2d",
    "IntegerLinear",
    "Lookup",
    "Quantize",
    "QuantizedAdd",
    "QuantizedAvgPool",
    "QuantizedGlobalAvgPool",
    "QuantizedMul",
    "QuantizedOp",
    "Requantize",
    "RequantizeAdd",
    "check_sums",
    "corrected_bias",
    "saturate",
]
