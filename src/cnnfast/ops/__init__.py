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
from cnnfast.ops.arithmetic import Add, Mul
from cnnfast.ops.base import OPS, Array, Cost, Op, Shape, decode_op
from cnnfast.ops.batch_norm import BatchNorm
from cnnfast.ops.concat import Concat
from cnnfast.ops.conv2d import Conv2d
from cnnfast.ops.fused import Fused
from cnnfast.ops.identity import Dropout, Identity
from cnnfast.ops.linear import Linear
from cnnfast.ops.lrn import Lrn
from cnnfast.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from cnnfast.ops.reshape import Flatten, Pad, Reshape, Transpose
from cnnfast.ops.softmax import LogSoftmax, Softmax

__all__ = [
    "OPS",
    "Activation",
    "Add",
    "Array",
    "AvgPool",
    "BatchNorm",
    "Clip",
    "Concat",
    "Conv2d",
    "Cost",
    "Dropout",
    "Elu",
    "Flatten",
    "Fused",
    "Gelu",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Linear",
    "LogSoftmax",
    "Lrn",
    "MaxPool",
    "Mul",
    "Op",
    "PRelu",
    "Pad",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Tanh",
    "Transpose",
    "decode_op",
]
