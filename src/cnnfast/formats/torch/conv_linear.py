"""Convolutions, dense layers and normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.attention import product
from cnnfast.formats.torch.builder import TorchGraph, need_constant, need_images
from cnnfast.formats.torch.table import aten
from cnnfast.formats.torch.values import TorchConstant, TorchImages
from cnnfast.formats.unsupported import ATEN_HINTS
from cnnfast.ops import Array, BatchNorm, Conv2d, GroupNorm, LayerNorm, Linear, Reshape

Sizes = Sequence[int]


@aten("conv2d")
def conv2d(
    b: TorchGraph,
    input: object,
    weight: object,
    bias: TorchConstant | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> TorchImages:
    """``torch.nn.Conv2d``."""
    x, filters = need_images(input), need_constant(weight, "weight")
    if len(x.shape) != 3:
        raise UnsupportedError(f"a convolution of {x.shape}; supported: of images (C, H, W)")
    kernel = filters.tensor.shape[2:]
    op = Conv2d(twice(stride), _sides(padding, kernel, twice(dilation)), twice(dilation), groups)
    return b.emit(op, x, parameters=_given(filters, bias))


@aten("convolution")
def convolution(
    b: TorchGraph,
    input: object,
    weight: object,
    bias: TorchConstant | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> TorchImages:
    """Return a convolution of any rank, as programs of TorchScript hold it."""
    if transposed:
        raise UnsupportedError(f"it is transposed; {ATEN_HINTS['conv_transpose2d']}")
    return conv2d(b, input, weight, bias, stride, padding, dilation, groups)


def twice(values: Sizes) -> tuple[int, int]:
    """Return two numbers for one or two."""
    return (values[0], values[-1])


def _sides(padding: Sizes | str, kernel: Sizes, dilation: tuple[int, int]) -> tuple[int, int, int, int]:
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        top, left = (t // 2 for t in total)
        return top, left, total[0] - top, total[1] - left
    assert not isinstance(padding, str)
    top, left = twice(padding)
    return top, left, top, left


def _given(*parameters: object) -> tuple[TorchConstant, ...]:
    """Return the parameters up to the first that is left out."""
    given = []
    for parameter in parameters:
        if parameter is None:
            break
        given.append(need_constant(parameter, "weight"))
    return tuple(given)


@aten("linear")
def linear(b: TorchGraph, input: object, weight: object, bias: TorchConstant | None = None) -> TorchImages:
    """``torch.nn.Linear``: over the features, or over the channels of each pixel where they come last."""
    x, matrix = need_images(input), need_constant(weight, "weight")
    if len(x.shape) == 1:
        return b.emit(Linear(), x, parameters=_given(matrix, bias))
    filters = TorchConstant(matrix.tensor[:, :, None, None], matrix.name)
    last = len(x.shape) - 1
    image = b.permuted(x, (last, *range(last)))
    if last != 2:
        # the axes before the last are the pixels of one row
        image = b.emit(Reshape((x.shape[last], math.prod(x.shape[:last]), 1)), image)
    y = b.emit(Conv2d(), image, parameters=_given(filters, bias))
    if last != 2:
        y = b.emit(Reshape((y.shape[0], *x.shape[:last])), y)
    return b.permuted(y, (*range(1, last + 1), 0))


@aten("addmm")
def addmm(b: TorchGraph, self: object, mat1: object, mat2: object, beta: float = 1, alpha: float = 1) -> TorchImages:
    """Return ``self + mat1 @ mat2`` with constants but for mat1: what a dense layer decomposes into."""
    if beta != 1 or alpha != 1:
        raise UnsupportedError(f"beta={beta} and alpha={alpha}; supported: 1 and 1")
    matrix, bias = need_constant(mat2, "second matrix"), need_constant(self, "bias")
    return linear(b, mat1, TorchConstant(matrix.tensor.t(), matrix.name), bias)


@aten("mm", "matmul")
def matmul(b: TorchGraph, self: object, **other: Any) -> TorchImages:
    """Return a product with a constant matrix."""
    (second,) = other.values()
    if isinstance(second, TorchImages):
        return product(b, need_images(self), second)
    matrix = need_constant(second, "second matrix")
    if matrix.tensor.ndim != 2:
        raise UnsupportedError("a product with a constant that is not a matrix")
    return linear(b, self, TorchConstant(matrix.tensor.t(), matrix.name))


@aten("_native_batch_norm_legit_no_training")
def batch_norm(
    b: TorchGraph,
    input: object,
    weight: TorchConstant | None,
    bias: TorchConstant | None,
    running_mean: object,
    running_var: object,
    momentum: float,
    eps: float,
) -> tuple[TorchImages, None, None]:
    """``torch.nn.BatchNorm2d`` in evaluation."""
    x = need_images(input)
    mean, var = need_constant(running_mean, "mean"), need_constant(running_var, "variance")
    scale = weight or np.ones(x.shape[0], np.float32)
    shift = bias or np.zeros(x.shape[0], np.float32)
    return b.emit(BatchNorm(eps), x, parameters=(scale, shift, mean, var)), None, None


@aten("layer_norm")
def layer_norm(
    b: TorchGraph,
    input: object,
    normalized_shape: Sizes,
    weight: TorchConstant | None,
    bias: TorchConstant | None,
    eps: float,
    cudnn_enable: bool,
) -> TorchImages:
    """``torch.nn.LayerNorm`` over the last axes."""
    x = need_images(input)
    rank = len(x.shape)
    axes = tuple(range(rank + 1 - len(normalized_shape), rank + 1))
    return b.emit(LayerNorm(axes, eps), x, parameters=_scale_and_shift(weight, bias, tuple(normalized_shape)))


def _scale_and_shift(weight: TorchConstant | None, bias: TorchConstant | None, shape: tuple[int, ...]) -> Any:
    """Return what is given, with ones as the scale of a shift without one."""
    if bias is None:
        return _given(weight)
    ones: Array = np.ones(shape, np.float32)
    return (weight or ones, bias)


@aten("group_norm")
def group_norm(
    b: TorchGraph,
    input: object,
    num_groups: int,
    weight: TorchConstant | None,
    bias: TorchConstant | None,
    eps: float,
    cudnn_enabled: bool,
) -> TorchImages:
    """``torch.nn.GroupNorm``."""
    x = need_images(input)
    return b.emit(GroupNorm(num_groups, eps), x, parameters=_scale_and_shift(weight, bias, x.shape[:1]))


@aten("instance_norm")
def instance_norm(
    b: TorchGraph,
    input: object,
    weight: TorchConstant | None,
    bias: TorchConstant | None,
    running_mean: object,
    running_var: object,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> TorchImages:
    """``torch.nn.InstanceNorm2d``: statistics of each channel of each image, or running ones."""
    if not use_input_stats:
        return batch_norm(b, input, weight, bias, running_mean, running_var, momentum, eps)[0]
    return group_norm(b, input, need_images(input).shape[0], weight, bias, eps, False)
