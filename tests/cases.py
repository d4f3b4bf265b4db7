"""The one table of shapes: every op, every size that matters, and why it does. Tests and benchmarks iterate over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Op
from cnnfast.ops.base import Array, Shape

BENCH = ("bench",)
"""Tags of the cases that benchmarks time: layers of real networks."""

CS61C = ("bench", "cs61c")
"""Tags of the layers of the network that started it all."""


@dataclass(frozen=True)
class Case:
    """One op on values of certain shapes.

    Attributes
    ----------
    id : str
        What tests and benchmark tables call it; it starts with the name of the op.
    op : Op
    inputs : tuple of Shape
        The data inputs, each the shape of one image.
    parameters : tuple of Shape
    reason : str
        Why this shape is here.
    tags : tuple of str
    fixed : tuple of int
        Which data inputs are constants, the same for every image.
    """

    id: str
    op: Op
    inputs: tuple[Shape, ...]
    parameters: tuple[Shape, ...]
    reason: str
    tags: tuple[str, ...] = ()
    fixed: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.id

    @property
    def output_shape(self) -> Shape:
        """The shape of one image's result."""
        return self.op.shape(*self.inputs, *self.parameters)

    def arrays(self, seed: int = 0, images: int = 2) -> tuple[list[Array], list[Array]]:
        """Return data inputs (N, ...) and parameters, float32; ``op.reference(*inputs, *parameters)`` takes them.

        The same seed gives the same parameters for any number of images, and the first images are the same too. A
        fixed input counts as one image.
        """
        parameter_rng, *input_rngs = np.random.default_rng(seed).spawn(1 + len(self.inputs))
        names = [name.rstrip("?") for name in self.op.parameters]
        parameters = [_parameter(parameter_rng, n, s) for n, s in zip(names, self.parameters, strict=False)]
        spread = 3.0 if self.op.name in _WIDE else 1.0
        inputs = []
        for index, (shape, rng) in enumerate(zip(self.inputs, input_rngs, strict=True)):
            count = 1 if index in self.fixed else images
            values = rng.standard_normal((count, *shape)) * spread
            if self.op.name in _POSITIVE:
                values = np.abs(values) + 1 / 16
            inputs.append(values.astype(np.float32))
        return inputs, parameters

    def reference(self, seed: int = 0, images: int = 2) -> Array:
        """Return what the op's reference makes of `arrays`, in float64."""
        inputs, parameters = self.arrays(seed, images)
        return self.op.reference(*(a.astype(np.float64) for a in [*inputs, *parameters]))

    def graph(self, seed: int = 0) -> Graph:
        """Return the graph of this one op, node ``y``; parameters and fixed inputs are its constants."""
        inputs, parameters = self.arrays(seed, images=1)
        shapes = {name: self.inputs[i] for i, name in enumerate(self.input_names) if i not in self.fixed}
        constants = {self.input_names[i]: constant(inputs[i][0]) for i in self.fixed}
        names = [name.rstrip("?") for name in self.op.parameters[: len(parameters)]]
        constants |= {name: constant(array) for name, array in zip(names, parameters, strict=True)}
        return Graph(shapes, (Node("y", self.op, (*self.input_names, *names)),), constants, ("y",))

    def feed(self, seed: int = 0, images: int = 2) -> dict[str, Array]:
        """Return the inputs of `graph`, by name."""
        inputs, _ = self.arrays(seed, images)
        return {name: inputs[i] for i, name in enumerate(self.input_names) if i not in self.fixed}

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the data inputs in `graph`."""
        if self.op.data[0].startswith("*"):
            return tuple(f"x{i}" for i in range(len(self.inputs)))
        return self.op.data


_WIDE = {
    "clip",
    "sigmoid",
    "tanh",
    "hard_sigmoid",
    "hard_swish",
    "silu",
    "gelu",
    "elu",
    "softmax",
    "log_softmax",
    "mish",
}
_WIDE |= {"softplus", "softsign", "round"}
"""Ops that bend far from zero: their inputs are spread so that every branch is taken."""

_POSITIVE = {"log", "sqrt"}
"""Ops whose inputs must be positive."""


def _parameter(rng: np.random.Generator, name: str, shape: Shape) -> Array:
    if name == "weight":
        values = rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    elif name == "var":
        values = rng.uniform(0.5, 2, shape)
    else:
        values = rng.standard_normal(shape)
    return values.astype(np.float32)


def _conv(id: str, reason: str, x: Shape, oc: int, kernel: int | Sequence[int], **options: Any) -> Case:
    """Return a convolution; ``bias=False`` leaves the bias out, ``tags`` are the case's, the rest are attributes."""
    kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
    tags, bias = options.pop("tags", ()), options.pop("bias", True)
    op = ops.Conv2d(**options)
    weight = (oc, x[0] // op.groups, kh, kw)
    return Case(f"conv2d-{id}", op, (x,), (weight, (oc,)) if bias else (weight,), reason, tags)


def _depthwise(id: str, reason: str, x: Shape, kernel: int, **options: Any) -> Case:
    return _conv(id, f"depthwise: {reason}", x, x[0], kernel, groups=x[0], **options)


def _linear(id: str, reason: str, features: int, outputs: int, bias: bool = True, tags: tuple[str, ...] = ()) -> Case:
    weight = (outputs, features)
    return Case(f"linear-{id}", ops.Linear(), ((features,),), (weight, (outputs,)) if bias else (weight,), reason, tags)


def _plain(id: str, reason: str, op: Op, *inputs: Shape, **options: Any) -> Case:
    """Return a case of an op without parameters."""
    return Case(f"{op.name}-{id}" if id else op.name, op, inputs, (), reason, **options)


CONV2D = (
    _conv("cs61c-1", "CS61C network: 3 channels in", (3, 32, 32), 16, 5, padding=2, tags=CS61C),
    _conv("cs61c-2", "CS61C network", (16, 16, 16), 20, 5, padding=2, tags=CS61C),
    _conv("cs61c-3", "CS61C network: 20 channels", (20, 8, 8), 20, 5, padding=2, tags=CS61C),
    _conv("lenet-1", "no padding, 6 filters", (3, 32, 32), 6, 5, tags=BENCH),
    _conv("lenet-2", "6 channels in", (6, 14, 14), 16, 5, tags=BENCH),
    _conv("vgg-64", "what VGG repeats, large image", (64, 32, 32), 64, 3, padding=1, tags=BENCH),
    _conv("vgg-128", "middle", (128, 16, 16), 128, 3, padding=1, tags=BENCH),
    _conv("vgg-256", "many channels, small image", (256, 8, 8), 256, 3, padding=1, tags=BENCH),
    _conv("resnet-16", "batch-norm follows, so no bias", (16, 32, 32), 16, 3, padding=1, bias=False, tags=BENCH),
    _conv("resnet-down", "ResNet-20, a stage begins", (16, 32, 32), 32, 3, padding=1, stride=2, bias=False, tags=BENCH),
    _conv("resnet-shortcut", "1x1 with stride 2 skips pixels", (16, 32, 32), 32, 1, stride=2, bias=False, tags=BENCH),
    _conv("mobilenet-expand", "1x1 is a matrix product", (16, 32, 32), 96, 1, bias=False, tags=BENCH),
    _depthwise("mobilenet-depthwise", "the usual one", (96, 32, 32), 3, padding=1, bias=False, tags=BENCH),
    _depthwise("mobilenet-depthwise-2", "stride 2", (96, 32, 32), 3, padding=1, stride=2, bias=False, tags=BENCH),
    _conv("mobilenet-project", "1x1 back to few channels", (96, 32, 32), 24, 1, bias=False, tags=BENCH),
    _conv("airbench-whiten", "2x2, no padding: even kernel, odd result", (3, 32, 32), 24, 2, tags=BENCH),
    _conv("imagenet-stem", "7x7 stride 2 of ResNet-50, cropped", (3, 40, 36), 8, 7, stride=2, padding=3),
    _conv("pixel", "one pixel, one channel, one filter", (1, 1, 1), 1, 1),
    _conv("pixel-padded", "3x3 on a single pixel: most of the window is padding", (3, 1, 1), 17, 3, padding=1),
    _conv("whole-image", "kernel as large as the image: a linear layer", (6, 5, 7), 10, (5, 7)),
    _conv("whole-image-wide", "the same, with enough inputs and channels for turned tiles", (12, 5, 6), 70, (5, 6)),
    _conv("larger-than-image", "kernel larger than the image, saved by padding", (2, 3, 3), 3, 5, padding=2),
    _conv("large-kernel", "larger than any specialized kernel", (3, 13, 12), 5, 9, padding=4),
    _conv("row", "1x5: not square", (4, 6, 11), 6, (1, 5), padding=(0, 2)),
    _conv("column", "5x1: not square", (4, 11, 6), 6, (5, 1), padding=(2, 0)),
    _conv("odd", "every size odd, 17 channels in and out", (17, 9, 7), 17, 3, padding=1),
    _conv("one-channel", "a gray image", (1, 28, 28), 16, 3),
    _conv("twenty", "20 channels, Winograd's kernel on odd sizes", (20, 7, 5), 20, 3, padding=1),
    _conv("padding-wide", "padding wider than half the kernel: border windows see nothing", (3, 4, 4), 4, 3, padding=3),
    _conv("padding-asymmetric", "four different paddings", (3, 8, 9), 4, (3, 4), padding=(0, 1, 2, 3)),
    _conv("same-upper", "TensorFlow's SAME, stride 2", (3, 8, 8), 4, 3, stride=2, padding=(0, 0, 1, 1)),
    _conv("stride-3-2", "different strides", (3, 11, 10), 4, 3, stride=(3, 2), padding=1),
    _conv("stride-over-kernel", "pixels between the windows are never read", (3, 11, 13), 4, 2, stride=(4, 5)),
    _conv("stride-leftover", "the last rows and columns are in no window", (3, 10, 12), 4, 3, stride=4),
    _conv("dilated", "dilation 2 with the padding that keeps the size", (3, 9, 10), 4, 3, dilation=2, padding=2),
    _conv(
        "dilated-strided", "all by axis", (2, 12, 15), 3, (3, 2), dilation=(2, 3), stride=(2, 1), padding=(1, 0, 2, 1)
    ),
    _conv("grouped", "ResNeXt: 4 groups of 3", (12, 8, 8), 20, 3, padding=1, groups=4),
    _conv("grouped-strided", "AlexNet's two towers, strided", (6, 9, 9), 16, 5, padding=2, groups=2, stride=2),
    _conv("depthwise-multiplier", "depthwise with two filters a channel", (3, 8, 8), 6, 3, padding=1, groups=3),
    _depthwise("depthwise-5x5", "MobileNetV3's kernel", (17, 7, 9), 5, padding=2),
    _depthwise("depthwise-dilated", "with dilation", (5, 9, 8), 3, padding=2, dilation=2),
)

LINEAR = (
    _linear("cs61c", "last layer of the CS61C network", 320, 10, tags=CS61C),
    _linear("mlp-1", "784-500-50-10, first layer", 784, 500, tags=BENCH),
    _linear("mlp-2", "784-500-50-10, second layer", 500, 50, tags=BENCH),
    _linear("lenet", "400-120", 400, 120, tags=BENCH),
    _linear("resnet", "head of ResNet-18", 512, 10, tags=BENCH),
    _linear("no-bias", "no bias", 17, 20, bias=False),
    _linear("one-feature", "an outer product", 1, 6),
    _linear("one-output", "a dot product", 33, 1),
    _linear("odd", "no multiple of anything", 37, 13),
    _linear("turned", "channels that fill turned tiles, inputs in parts of which the last is short", 259, 64),
)

CEIL = {"ceil_mode": True}
COUNTED = {"count_padding": True}
UNEVEN = (0, 1, 1, 2)

POOL = (
    _plain("cs61c", "2x2 stride 2, the usual one", ops.MaxPool(2), (16, 32, 32), tags=CS61C),
    _plain("overlapping", "AlexNet's 3x3 stride 2", ops.MaxPool(3, 2), (6, 9, 11), tags=BENCH),
    _plain("resnet-stem", "3x3 stride 2 padding 1", ops.MaxPool(3, 2, 1), (16, 12, 12)),
    _plain("odd", "2x2 on odd sizes: the last row and column are dropped", ops.MaxPool(2), (3, 7, 9)),
    _plain("odd-ceil", "2x2 on odd sizes: the last window is half outside", ops.MaxPool(2, **CEIL), (3, 7, 9)),
    _plain("ceil-starts-outside", "no window starts in the far padding", ops.MaxPool(2, 3, 1, **CEIL), (2, 4, 7)),
    _plain("stride-1", "same size", ops.MaxPool(3, 1, 1), (3, 5, 6)),
    _plain("stride-over-kernel", "gaps between windows", ops.MaxPool(2, 3), (3, 8, 9)),
    _plain("asymmetric", "and oblong", ops.MaxPool((2, 3), (2, 1), UNEVEN), (3, 6, 5)),
    _plain("dilated", "window with gaps", ops.MaxPool(2, 1, 0, 2), (3, 6, 7)),
    _plain("dilated-ceil", "window with gaps, hanging over", ops.MaxPool((3, 2), 2, (1, 0), (2, 1), **CEIL), (2, 8, 7)),
    _plain("whole", "global, written as a pool", ops.MaxPool((5, 4)), (17, 5, 4)),
    _plain("pixel", "1x1 changes nothing", ops.MaxPool(1), (3, 4, 4)),
    _plain("2", "2x2 stride 2", ops.AvgPool(2), (16, 8, 8), tags=BENCH),
    _plain("overlapping", "3x3 stride 2", ops.AvgPool(3, 2), (6, 9, 11)),
    _plain("padding-not-counted", "border windows divide by fewer", ops.AvgPool(3, 1, 1), (3, 6, 5)),
    _plain("padding-counted", "border windows divide by nine", ops.AvgPool(3, 1, 1, **COUNTED), (3, 6, 5)),
    _plain("ceil", "what hangs over never counts", ops.AvgPool(2, **CEIL), (3, 7, 9)),
    _plain("ceil-not-counted", "padding does not count either", ops.AvgPool(3, 2, 1, **CEIL), (3, 6, 8)),
    _plain("ceil-counted", "padding counts, the overhang does not", ops.AvgPool(3, 2, 1, **CEIL, **COUNTED), (3, 6, 8)),
    _plain("asymmetric", "and oblong", ops.AvgPool((2, 3), (2, 1), UNEVEN, **COUNTED), (3, 6, 5)),
    _plain("asymmetric-not-counted", "uneven divisors", ops.AvgPool((2, 3), (2, 1), UNEVEN), (3, 6, 5)),
    _plain("dilated", "window with gaps", ops.AvgPool(2, 1, 0, 2), (3, 6, 7)),
    _plain("stride-over-kernel", "gaps between windows", ops.AvgPool(2, 3), (3, 8, 9)),
    _plain("pixel", "1x1 changes nothing", ops.AvgPool(1), (3, 4, 4)),
    _plain("resnet", "the end of ResNet", ops.GlobalAvgPool(), (64, 8, 8), tags=BENCH),
    _plain("flat", "straight to features", ops.GlobalAvgPool(keep_dims=False), (17, 5, 7)),
    _plain("pixel", "nothing to average", ops.GlobalAvgPool(), (3, 1, 1)),
    _plain("airbench", "the end of airbench", ops.GlobalMaxPool(), (64, 3, 3), tags=BENCH),
    _plain("flat", "straight to features", ops.GlobalMaxPool(keep_dims=False), (17, 5, 7)),
)

ACTIVATION = (
    _plain("image", "after a convolution", ops.Relu(), (16, 8, 8), tags=BENCH),
    _plain("features", "after a linear layer", ops.Relu(), (37,)),
    _plain("relu6", "MobileNet", ops.Clip(), (16, 8, 8)),
    _plain("negative", "both bounds below zero: zero is not a fixed point", ops.Clip(-2.0, -0.5), (5, 3, 3)),
    _plain("hardtanh", "PyTorch's Hardtanh", ops.Clip(-1.0, 1.0), (37,)),
    _plain("default", "slope 0.01", ops.LeakyRelu(), (6, 5, 3)),
    _plain("darknet", "slope 0.1", ops.LeakyRelu(0.1), (37,)),
    _plain("negative", "a negative slope folds over: not monotone", ops.LeakyRelu(-0.5), (37,)),
    _plain("steep", "slope above one: no maximum of x and slope * x", ops.LeakyRelu(2.0), (37,)),
    Case("prelu-per-channel", ops.PRelu(), ((17, 5, 3),), ((17,),), "a slope for each channel"),
    Case("prelu-shared", ops.PRelu(), ((6, 5, 3),), ((1,),), "one slope for all"),
    Case("prelu-row", ops.PRelu(), ((6, 5),), ((6,),), "channels of a single row"),
    Case("prelu-features", ops.PRelu(), ((37,),), ((37,),), "a slope for each feature"),
    _plain("default", "alpha 1", ops.Elu(), (6, 5, 3)),
    _plain("alpha", "alpha 0.5", ops.Elu(0.5), (37,)),
    _plain("image", "after a convolution", ops.Sigmoid(), (6, 5, 3)),
    _plain("features", "the MLP's activation", ops.Sigmoid(), (500,), tags=BENCH),
    _plain("image", "after a convolution", ops.Tanh(), (6, 5, 3)),
    _plain("features", "the first LeNet's activation", ops.Tanh(), (84,)),
    _plain("torch", "PyTorch's and Keras 3's slope, MobileNetV3", ops.HardSigmoid(), (16, 1, 1)),
    _plain("keras-2", "Keras 2's slope", ops.HardSigmoid(0.2, 0.5), (37,)),
    _plain("falling", "a negative slope", ops.HardSigmoid(-0.3, 0.25), (37,)),
    _plain("image", "MobileNetV3", ops.HardSwish(), (16, 5, 3)),
    _plain("image", "EfficientNet", ops.Silu(), (16, 5, 3)),
    _plain("erf", "exactly, airbench", ops.Gelu(), (16, 5, 3)),
    _plain("tanh", "the older formula", ops.Gelu("tanh"), (16, 5, 3)),
)

FUNCTION = (
    _plain("image", "a piece of a loss, or of a norm", ops.Abs(), (6, 5, 3)),
    _plain("image", "the root of an energy", ops.Sqrt(), (6, 5, 3)),
    _plain("image", "softmax written out", ops.Exp(), (6, 5, 3)),
    _plain("image", "log-softmax written out", ops.Log(), (6, 5, 3)),
    _plain("image", "GELU written out", ops.Erf(), (6, 5, 3)),
    _plain("features", "a row", ops.Erf(), (37,)),
    _plain("image", "a smooth ReLU", ops.Softplus(), (6, 5, 3)),
    _plain("image", "a cheap tanh", ops.Softsign(), (6, 5, 3)),
    _plain("image", "YOLOv4's activation", ops.Mish(), (6, 5, 3)),
    _plain("image", "nothing below a threshold", ops.ThresholdedRelu(0.5), (6, 5, 3)),
    _plain("image", "binary networks", ops.Sign(), (6, 5, 3)),
    _plain("image", "quantized networks", ops.Round(), (6, 5, 3)),
)

MATMUL = (
    _plain(
        "scores",
        "attention of a small vision transformer: queries by keys",
        ops.MatMul(),
        (3, 65, 64),
        (3, 64, 65),
        tags=BENCH,
    ),
    _plain("mixed", "attention: weights by values", ops.MatMul(), (3, 65, 65), (3, 65, 64), tags=BENCH),
    _plain("one-head", "no axis in front", ops.MatMul(), (17, 8), (8, 10)),
    _plain("inner", "a row by a column", ops.MatMul(), (1, 37), (37, 1)),
    _plain("outer", "a column by a row", ops.MatMul(), (2, 4, 1), (2, 1, 5)),
    _plain("tiles", "two more than whole tiles", ops.MatMul(), (5, 7), (7, 8)),
    _plain("repeated-left", "one matrix on the left for all", ops.MatMul(), (1, 4, 5), (3, 5, 2)),
    _plain("repeated-right", "one matrix on the right for all", ops.MatMul(), (3, 4, 5), (1, 5, 2)),
    _plain("constant-left", "a constant by a value", ops.MatMul(), (1, 6, 4), (3, 4, 5), fixed=(0,)),
    _plain("constant-right", "a value by constants", ops.MatMul(), (3, 4, 5), (3, 5, 6), fixed=(1,)),
)

NORMALIZATION = (
    Case("batch_norm-image", ops.BatchNorm(), ((16, 8, 8),), ((16,),) * 4, "after a convolution", BENCH),
    Case("batch_norm-features", ops.BatchNorm(1e-3), ((37,),), ((37,),) * 4, "after a linear layer, Keras's eps"),
    Case("batch_norm-one", ops.BatchNorm(), ((1, 3, 5),), ((1,),) * 4, "one channel"),
    _plain("alexnet", "odd window", ops.Lrn(5, 1e-4, 0.75, 2.0), (16, 5, 3)),
    _plain("even", "even window: more channels behind than in front", ops.Lrn(4, 0.5, 0.75, 1.0), (7, 3, 3)),
    _plain("wide", "window wider than all channels", ops.Lrn(9, 0.5, 0.5, 1.0), (3, 4, 4)),
    _plain("one", "each channel alone", ops.Lrn(1, 1.0, 1.0, 1.0), (3, 4, 4)),
    Case(
        "layer_norm-convnext",
        ops.LayerNorm((1,), 1e-6),
        ((17, 5, 3),),
        ((17,),) * 2,
        "the channels of each pixel",
        BENCH,
    ),
    Case("layer_norm-last", ops.LayerNorm((3,)), ((6, 5, 17),), ((17,),) * 2, "channels last"),
    Case("layer_norm-image", ops.LayerNorm((1, 2, 3)), ((6, 5, 3),), ((6, 5, 3),) * 2, "a weight for each element"),
    Case("layer_norm-features", ops.LayerNorm(), ((37,),), ((37,),), "after a linear layer, without a shift"),
    Case("layer_norm-plain", ops.LayerNorm((2, 3)), ((6, 5, 3),), (), "no weights at all"),
    Case("group_norm-groups", ops.GroupNorm(4), ((16, 5, 3),), ((16,),) * 2, "four groups of four channels"),
    Case("group_norm-instance", ops.GroupNorm(17), ((17, 5, 3),), ((17,),) * 2, "each channel alone: instance norm"),
    Case("group_norm-layer", ops.GroupNorm(1), ((6, 5, 3),), (), "all channels together, no weights"),
    Case("group_norm-features", ops.GroupNorm(3), ((12,),), ((12,),) * 2, "features in groups"),
    _plain("channels", "the mean of each pixel", ops.ReduceMean((1,)), (16, 5, 3)),
    _plain("all", "one number for each image", ops.ReduceMean((1, 2, 3), False), (6, 5, 3)),
    _plain("rows", "axes that do not follow each other", ops.ReduceMean((1, 3)), (6, 5, 3)),
    _plain("columns", "axes vanish", ops.ReduceMean((3,), False), (6, 5, 3)),
    _plain("features", "of a row", ops.ReduceMean((1,)), (37,)),
    _plain("channels", "the energy of each pixel", ops.ReduceSum((1,)), (16, 5, 3)),
    _plain("image", "over H and W", ops.ReduceSum((2, 3), False), (6, 5, 3)),
    _plain("channels", "maxout", ops.ReduceMax((1,), False), (6, 5, 3)),
    _plain("image", "over H and W", ops.ReduceMax((2, 3)), (6, 5, 3)),
    _plain("rows", "over H", ops.ReduceMin((2,)), (6, 5, 3)),
    _plain("classes", "the end of a network", ops.Softmax(), (10,), tags=CS61C),
    _plain("one-class", "always 1", ops.Softmax(), (1,)),
    _plain("channels", "over channels, for each pixel", ops.Softmax(), (6, 5, 3)),
    _plain("columns", "over the last axis of an image", ops.Softmax(3), (6, 5, 3)),
    _plain("rows", "over the middle axis of an image", ops.Softmax(2), (6, 5, 3)),
    _plain("classes", "the end of a network in training", ops.LogSoftmax(), (10,)),
    _plain("columns", "over the last axis of an image", ops.LogSoftmax(3), (6, 5, 3)),
)


def _binary(op: Op) -> tuple[Case, ...]:
    """Return the cases that add and mul share."""
    x = (6, 5, 3)
    return (
        _plain("same", "a residual connection", op, x, x, tags=BENCH),
        _plain("features", "two rows", op, (37,), (37,)),
        _plain("gate", "one number for each channel of each image: squeeze-and-excitation", op, x, (6, 1, 1)),
        _plain("gate-first", "the same, the other way round", op, (6, 1, 1), x),
        _plain("plane", "one plane for all channels", op, x, (1, 5, 3)),
        _plain("both-ways", "each stretches the other", op, (6, 1, 3), (1, 5, 1)),
        _plain("rank", "a row on every row of an image", op, x, (3,)),
        _plain("rank-first", "a plane, and more axes on the right", op, (5, 1), x),
        _plain("constant", "a constant of full size", op, x, x, fixed=(1,)),
        _plain("constant-channel", "a constant for each channel", op, x, (6, 1, 1), fixed=(1,)),
        _plain("constant-first", "a constant on the left", op, (6, 1, 1), x, fixed=(0,)),
        _plain("constant-scalar", "a number", op, x, (), fixed=(1,)),
        _plain("constant-stretches", "a constant with more axes than the value", op, (3,), x, fixed=(1,)),
    )


def _in_order(op: Op) -> tuple[Case, ...]:
    """Return the cases of arithmetic whose operands cannot change places, beyond what add and mul show."""
    x = (6, 5, 3)
    return (
        _plain("same", "value by value", op, x, x),
        _plain("channel", "one number for each channel of each image", op, x, (6, 1, 1)),
        _plain("channel-first", "the same, the other way round", op, (6, 1, 1), x),
        _plain("features", "two rows", op, (37,), (37,)),
        _plain("constant-channel", "the mean of the training set", op, x, (6, 1, 1), fixed=(1,)),
        _plain("constant-first", "a number and a value", op, (), x, fixed=(0,)),
    )


JOINS = (
    *_binary(ops.Add()),
    *_binary(ops.Mul()),
    *_in_order(ops.Sub()),
    *_in_order(ops.Div()),
    *_in_order(ops.Maximum()),
    *_in_order(ops.Minimum()),
    _plain("one", "nothing to join", ops.Concat(), (6, 5, 3)),
    _plain("two", "DenseNet", ops.Concat(), (16, 4, 4), (3, 4, 4), tags=BENCH),
    _plain("three", "Inception", ops.Concat(), (1, 5, 3), (17, 5, 3), (6, 5, 3)),
    _plain("features", "rows end to end", ops.Concat(), (3,), (10,)),
    _plain("rows", "one below the other", ops.Concat(2), (3, 2, 5), (3, 4, 5)),
    _plain("columns", "side by side", ops.Concat(3), (3, 2, 5), (3, 2, 1), (3, 2, 2)),
    _plain(
        "constant", "a constant and a value: repeated for each image", ops.Concat(), (3, 4, 4), (2, 4, 4), fixed=(1,)
    ),
)

MOVES = (
    _plain("zeros", "before a convolution", ops.Pad(1), (3, 8, 8)),
    _plain("value", "with a number, four sides differ", ops.Pad((0, 1, 2, 3), -1.5), (3, 4, 5)),
    _plain("nothing", "pads nothing", ops.Pad(0), (3, 4, 5)),
    _plain("channels", "ResNet's shortcut A: channels of zeros around", ops.Pad(0, channels=(2, 3)), (3, 4, 5)),
    _plain("reflect", "mirrored at the pixel at the edge", ops.Pad((1, 2, 3, 0), mode="reflect"), (3, 4, 5)),
    _plain("edge", "the edge is repeated for longer than the image", ops.Pad((0, 5, 6, 1), mode="edge"), (3, 4, 5)),
    _plain("symmetric", "mirrored at the edge, channels too", ops.Pad(1, mode="symmetric", channels=(1, 0)), (3, 4, 5)),
    _plain("wrap", "the image again", ops.Pad((1, 0, 2, 3), mode="wrap"), (3, 4, 5)),
    _plain("crop", "the middle of each image", ops.Slice((0, 1, 1), (3, 4, 5)), (3, 6, 7)),
    _plain("every-second", "ResNet's shortcut A skips pixels", ops.Slice((0, 0, 1), (3, 3, 2), (1, 2, 3)), (3, 6, 7)),
    _plain("channels", "the first half of a split", ops.Slice((8, 0, 0), (8, 5, 3)), (16, 5, 3)),
    _plain("flip", "from right to left", ops.Slice((0, 0, 4), (3, 4, 5), (1, 1, -1)), (3, 4, 5)),
    _plain("features", "of a row", ops.Slice((3,), (10,), (2,)), (37,)),
    _plain("double", "nearest, twice the size", ops.Resize((8, 10), "nearest", "asymmetric", "floor"), (3, 4, 5)),
    _plain("nearest-odd", "nearest, neither twice nor half", ops.Resize((7, 3)), (3, 4, 5)),
    _plain("nearest-ceil", "nearest, other rounding", ops.Resize((7, 3), "nearest", "half_pixel", "ceil"), (3, 4, 5)),
    _plain("bilinear", "bilinear, larger", ops.Resize((7, 9), "linear"), (3, 4, 5)),
    _plain("bilinear-corners", "the corners stay", ops.Resize((7, 3), "linear", "align_corners"), (3, 4, 5)),
    _plain("bilinear-pixel", "to a single pixel", ops.Resize(1, "linear", "pytorch_half_pixel"), (3, 4, 5)),
    _plain("bicubic", "bicubic, larger and smaller", ops.Resize((9, 3), "cubic"), (3, 4, 5)),
    _plain(
        "antialias",
        "a smaller picture of all pixels",
        ops.Resize(2, "linear", antialias=True, exclude_outside=True),
        (3, 4, 7),
    ),
    _plain("outside", "nothing beyond the edge", ops.Resize((7, 9), "cubic", exclude_outside=True), (3, 4, 5)),
    _plain("scaled", "a scale besides the sizes", ops.Resize((5, 6), "linear", scale_h=1.3, scale_w=1.3), (3, 4, 5)),
    _plain("image", "before a linear layer: C, H, W order", ops.Flatten(), (20, 4, 4)),
    _plain("features", "flat already", ops.Flatten(), (37,)),
    _plain("unflatten", "features become an image", ops.Reshape((4, 5, -1)), (60,)),
    _plain("flat", "an image becomes features", ops.Reshape((-1,)), (3, 4, 5)),
    _plain("same", "changes nothing", ops.Reshape((3, 4, 5)), (3, 4, 5)),
    _plain("to-nhwc", "channels last, before a Keras flatten", ops.Transpose((0, 2, 3, 1)), (3, 4, 5)),
    _plain("to-nchw", "channels first again", ops.Transpose((0, 3, 1, 2)), (4, 5, 3)),
    _plain("turn", "rows become columns", ops.Transpose((0, 1, 3, 2)), (3, 4, 5)),
    _plain("features", "rank 1: changes nothing", ops.Transpose((0, 1)), (37,)),
    _plain("image", "does nothing", ops.Identity(), (3, 4, 5)),
    _plain("features", "does nothing after training", ops.Dropout(0.25), (37,)),
)

RANK = {1: (10,), 2: (6, 20), 3: (6, 4, 5)}
"""One shape of each rank; two axes hold more elements behind a channel than there are channels."""


def _at_every_rank(*all_ops: Op) -> tuple[Case, ...]:
    """Return the cases of ops that take values of any rank, as many operands as they have."""
    return tuple(
        _plain(f"rank-{rank}{_attributes(op)}", "the same rule at every rank", op, *(x,) * len(op.data))
        for op in all_ops
        for rank, x in RANK.items()
    )


def _attributes(op: Op) -> str:
    """Return the attributes of an op as a part of an id."""
    return "".join(f"-{value}".lower().replace(" ", "") for value in op.attributes().values())


def _over_axes() -> tuple[Case, ...]:
    """Return the cases of ops over axes: all sets of axes at one and two axes, with and without weights."""
    cases = []
    for rank, sets in {1: ((1,),), 2: ((1,), (2,), (1, 2))}.items():
        x = RANK[rank]
        for axes in sets:
            name, weight = "-".join(map(str, (f"rank-{rank}", *axes))), tuple(x[axis - 1] for axis in axes)
            cases.append(Case(f"layer_norm-{name}", ops.LayerNorm(axes), (x,), (weight,) * 2, "two axes or one"))
            cases += [
                _plain(f"{name}-{keep}", "two axes or one", op(axes, keep), x)
                for op in (ops.ReduceMean, ops.ReduceSum, ops.ReduceMax, ops.ReduceMin)
                for keep in (True, False)
            ]
        for groups in (1, 2, x[0]):
            weights = ((x[0],),) * 2
            cases.append(
                Case(f"group_norm-rank-{rank}-{groups}", ops.GroupNorm(groups), (x,), weights, "two axes or one")
            )
        for axis in range(1, rank + 1):
            cases += [
                _plain(f"rank-{rank}-{axis}", "two axes or one", op(axis), x) for op in (ops.Softmax, ops.LogSoftmax)
            ]
            cases.append(_plain(f"rank-{rank}-{axis}", "two axes or one", ops.Concat(axis), x, x))
    cases.append(Case("prelu-rank-2", ops.PRelu(), ((6, 20),), ((6,),), "channels of long rows"))
    return tuple(cases)


RANKS = (
    *_at_every_rank(
        ops.Relu(),
        ops.Clip(-0.5, 0.5),
        ops.LeakyRelu(),
        ops.Elu(),
        ops.Sigmoid(),
        ops.Tanh(),
        ops.HardSigmoid(),
        ops.HardSwish(),
        ops.Silu(),
    ),
    *_at_every_rank(
        ops.Gelu(),
        ops.Gelu("tanh"),
        ops.Abs(),
        ops.Sqrt(),
        ops.Exp(),
        ops.Log(),
        ops.Erf(),
        ops.Softplus(),
        ops.Softsign(),
        ops.Mish(),
    ),
    *_at_every_rank(
        ops.Sign(),
        ops.Round(),
        ops.ThresholdedRelu(0.5),
        ops.Identity(),
        ops.Dropout(0.25),
        ops.Flatten(),
        ops.Reshape((2, -1)),
    ),
    *_at_every_rank(ops.Add(), ops.Sub(), ops.Mul(), ops.Div(), ops.Maximum(), ops.Minimum()),
    *_over_axes(),
    _plain("rank-2-turned", "a row of columns", ops.Transpose((0, 2, 1)), (6, 20)),
    _plain("rank-2-flip", "both axes of two", ops.Slice((5, 0), (3, 10), (-2, 2)), (6, 20)),
    _plain("rank-2-rows", "a number for each row of two axes", ops.Mul(), (6, 20), (6, 1)),
    _plain("rank-2-columns", "a row on every row of two axes", ops.Add(), (20,), (6, 20)),
)

CASES: tuple[Case, ...] = (
    *CONV2D,
    *LINEAR,
    *POOL,
    *ACTIVATION,
    *FUNCTION,
    *MATMUL,
    *NORMALIZATION,
    *JOINS,
    *MOVES,
    *RANKS,
)


def cases_of(*kinds: type[Op], tag: str | None = None) -> list[Case]:
    """Return the cases of some kinds of op, of all if none is given, with a tag if one is given."""
    return [case for case in CASES if isinstance(case.op, kinds or Op) and (tag is None or tag in case.tags)]
