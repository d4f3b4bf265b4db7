"""WHAT a network computes: one file per family of ops, in NumPy only.

On its own this folder is a complete, slow, readable library: every op has its attributes, its shape rule, its reference
and its cost. Everything else in cnnfast is about computing the same thing faster.
"""

from cnnfast.ops.activation import (
    Activation,
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)
from cnnfast.ops.arithmetic import Add, Binary, Div, Maximum, Minimum, Mul, Sub
from cnnfast.ops.base import OPS, Array, Cost, Op, Shape, decode_op
from cnnfast.ops.batch_norm import BatchNorm
from cnnfast.ops.concat import Concat
from cnnfast.ops.conv2d import Conv2d
from cnnfast.ops.function import (
    Abs,
    Erf,
    Exp,
    Function,
    Log,
    Mish,
    Round,
    Sign,
    Softplus,
    Softsign,
    Sqrt,
    ThresholdedRelu,
)
from cnnfast.ops.fused import Fused
from cnnfast.ops.identity import Dropout, Identity
from cnnfast.ops.layer_norm import GroupNorm, LayerNorm
from cnnfast.ops.linear import Linear
from cnnfast.ops.lrn import Lrn
from cnnfast.ops.matmul import MatMul
from cnnfast.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from cnnfast.ops.reduce import Reduce, ReduceMax, ReduceMean, ReduceMin, ReduceSum
from cnnfast.ops.reshape import Flatten, Pad, Reshape, Transpose
from cnnfast.ops.resize import Resize
from cnnfast.ops.slice import Slice
from cnnfast.ops.softmax import LogSoftmax, Softmax

__all__ = [
    "OPS",
    "Abs",
    "Activation",
    "Add",
    "Array",
    "AvgPool",
    "BatchNorm",
    "Binary",
    "Clip",
    "Concat",
    "Conv2d",
    "Cost",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Function",
    "Fused",
    "Gelu",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNorm",
    "LeakyRelu",
    "Linear",
    "Log",
    "LogSoftmax",
    "Lrn",
    "MatMul",
    "MaxPool",
    "Maximum",
    "Minimum",
    "Mish",
    "Mul",
    "Op",
    "PRelu",
    "Pad",
    "Reduce",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Shape",
    "Sigmoid",
    "Sign",
    "Silu",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Tanh",
    "ThresholdedRelu",
    "Transpose",
    "decode_op",
]
